"""A tiny model's answers, Embedway's beside the reference's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.types import BackendName, Image, Item, ModelSpec, Output, Outputs, Pair, Role, Text
from tests.reference import compare
from tests.tiny.pictures import PICTURES
from tests.tiny.texts import NAMES, PAIRS, TEXTS

TOGETHER = 40
NEAR = 1e-4
"""How far a logit or a weight may be off."""

Arrays = Mapping[str, npt.NDArray[Any]]


def check(folder: Path, wanted: Arrays, backend_name: BackendName = "auto") -> str:
    """Require the reference's token counts and answers, alone and in batches of 40; returns how near they are."""
    task = "rerank" if "scores" in wanted else "auto"
    spec = ModelSpec("tiny", str(folder), dtype="fp32", backend=backend_name, device="cpu", task=task)
    with closing(open_backend(spec)) as backend:
        assert backend_name in ("auto", backend.facts.backend)
        items = ask(backend, wanted)
        assert [backend.prepare(item).cost for item in items] == wanted["counts"].tolist()
        figures = []
        for together in (1, TOGETHER):
            chosen = [index * 7 % len(items) for index in range(TOGETHER)] if together > 1 else list(range(len(items)))
            outputs = run(backend, [items[index] for index in chosen], together)
            figures += [agree(wanted, chosen, outputs)]
        return "; ".join(figures)


def ask(backend: Backend, wanted: Arrays) -> Sequence[Item]:
    """The items whose answers are known, for everything that the model gives."""
    if "rerank" in backend.facts.tasks:
        return [Pair(*pair) for pair in PAIRS]
    if "image" in backend.facts.modalities:
        return [*(Text(text) for text in TEXTS), *(Image(data) for data in PICTURES.values())]
    outputs = backend.facts.outputs
    if "rows" in wanted:
        assert outputs == Output.TOKENS
        roles: Sequence[Role] = ("query", "document")
        return [Text(text, role, outputs) for role in roles for text in TEXTS]
    assert backend.facts.sparse_head == ("terms" in wanted)
    return [Text(text, outputs=outputs) for text in TEXTS]


def run(backend: Backend, items: Sequence[Item], together: int) -> list[Outputs]:
    """The items' outputs, `together` in one batch."""
    features = [backend.prepare(item) for item in items]
    return [
        outputs
        for start in range(0, len(features), together)
        for outputs in backend.run(features[start : start + together])
    ]


def agree(wanted: Arrays, chosen: Sequence[int], outputs: Sequence[Outputs]) -> str:
    """Require that every part agrees; returns the figures."""
    told = []
    if "dense" in wanted:
        rows = np.stack([one.dense for one in outputs if one.dense is not None])
        agreement = compare.agree(wanted["dense"][chosen], rows, [[*NAMES, *PICTURES][index] for index in chosen])
        agreement.require(compare.FP32_COSINE)
        told.append(str(agreement))
    if "logits" in wanted:
        logits = np.stack([one.scores for one in outputs if one.scores is not None])
        told.append(near("logits", wanted["logits"][chosen], logits))
    if "terms" in wanted:
        terms = np.zeros_like(wanted["terms"][chosen])
        for row, one in enumerate(outputs):
            assert one.sparse is not None
            assert np.all(np.diff(one.sparse.ids) > 0)
            terms[row, one.sparse.ids] = one.sparse.weights
        told.append(near("terms", wanted["terms"][chosen], terms))
    if "tokens" in wanted:
        apart = np.split(wanted["tokens"], np.cumsum(wanted.get("rows", wanted["counts"] - 1))[:-1])
        vectors = np.concatenate([one.tokens for one in outputs if one.tokens is not None])
        told.append(near("token vectors", np.concatenate([apart[index] for index in chosen]), vectors))
    return ", ".join(told)


def near(what: str, wanted: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> str:
    """Require numbers that differ by less than `NEAR`, of the largest where that is above 1."""
    assert wanted.shape == found.shape
    difference = float(np.abs(wanted - found).max()) / max(1.0, float(np.abs(wanted).max()))
    assert difference < NEAR, f"{what}: {difference}"
    return f"{what}: largest difference {difference:.1e}"
