"""Read the reference file and compare vectors with it. Needs numpy only, so ordinary tests use it too.

The file is a compressed `.npz` of four arrays, row i for text i of `texts.py`:

    vectors     float32 [500, 384]  sentence-transformers, fp32, each text alone, normalised
    tokens      int32 [500]         tokens read by the model: [CLS] and [SEP] included, after cutting
    all_tokens  int32 [500]         the same before cutting
    facts       uint8 [n]           a JSON object in UTF-8: library versions, SHA-256 of weights and texts
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import texts

COMMITTED = Path(__file__).with_name("minilm.npz")

# Cosines that must be reached, per vector.
REBUILT_COSINE = 0.999_999_9  # the reference made again, perhaps on another machine
FP32_COSINE = 0.999_99
BF16_COSINE = 0.999_5


class StaleReferenceError(Exception):
    """The reference file was made from other texts than those in `texts.py`."""


@dataclass(frozen=True)
class Reference:
    """Vectors, token counts and where they come from; the module's docstring gives the shapes."""

    vectors: NDArray[np.float32]
    tokens: NDArray[np.int32]
    all_tokens: NDArray[np.int32]
    facts: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write the file. Equal contents give equal bytes: numpy stamps no time into the archive."""
        facts = json.dumps(self.facts, indent=1, sort_keys=True).encode()
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                vectors=self.vectors,
                tokens=self.tokens,
                all_tokens=self.all_tokens,
                facts=np.frombuffer(facts, dtype=np.uint8),
            )


def load(path: Path = COMMITTED) -> Reference:
    """Read a reference file; refuse one that was made from other texts."""
    with np.load(path, allow_pickle=False) as arrays:
        reference = Reference(
            vectors=arrays["vectors"],
            tokens=arrays["tokens"],
            all_tokens=arrays["all_tokens"],
            facts=json.loads(arrays["facts"].tobytes()),
        )
    if reference.facts["texts_sha256"] != texts.digest():
        raise StaleReferenceError(f"{path.name} was made from other texts; see reference/make.py")
    return reference


@dataclass(frozen=True)
class Agreement:
    """How well two sets of vectors agree, row by row."""

    cosines: NDArray[np.float64]
    names: Sequence[str]

    @property
    def lowest(self) -> float:
        return float(self.cosines.min())

    @property
    def mean(self) -> float:
        return float(self.cosines.mean())

    def worst(self, count: int = 5) -> list[tuple[str, float]]:
        """Return name and cosine of the rows that agree least, the worst first."""
        rows = np.argsort(self.cosines, kind="stable")[:count]
        return [(self.names[row], float(self.cosines[row])) for row in rows]

    def require(self, at_least: float) -> None:
        """Raise AssertionError, naming the worst rows, unless every cosine reaches `at_least`."""
        below = int((self.cosines < at_least).sum())
        assert below == 0, f"{below} of {len(self.cosines)} rows below {at_least}: {self}"

    def __str__(self) -> str:
        rows = ", ".join(f"{name} {1 - cosine:.1e}" for name, cosine in self.worst())
        return f"1 - cosine: largest {1 - self.lowest:.1e}, mean {1 - self.mean:.1e}; worst: {rows}"


def agree(left: NDArray[np.float32], right: NDArray[np.float32], names: Sequence[str] | None = None) -> Agreement:
    """Compare two arrays [rows, dimensions], in float64. A zero or non-finite row counts as -1.

    `names` says what the rows are; without it they are the 500 samples.
    """
    if names is None:
        names = [sample.name for sample in texts.samples()]
    if left.shape != right.shape or len(left) != len(names):
        raise ValueError(f"shapes {left.shape} and {right.shape} for {len(names)} texts")
    a = left.astype(np.float64)
    b = right.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return Agreement(cosines=np.nan_to_num(cosines, nan=-1.0), names=names)
