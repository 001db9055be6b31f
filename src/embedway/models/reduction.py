"""A trained reduction of vectors: one linear map whose every prefix is a good shorter vector.

It is a folder with `reduction.safetensors` (`components` float32 `[width, width]`, the most telling row first, and
`shift` float32 `[width]`) and `reduction.json`, its card. A vector x of length 1 becomes `components @ x + shift`,
brought to length 1; its first numbers, brought to length 1 again, are the reduced vector (`embedway.vectors.shorten`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from embedway.errors import ModelFilesError
from embedway.models.folder import read_json
from embedway.models.weights import Weights
from embedway.types import Facts
from embedway.vectors import Floats, unit_rows

CARD = "reduction.json"
TENSORS = "reduction.safetensors"
FORMAT = 1
WIDEST = 4000
"""Numbers of the longest vector that is reduced; the platform's limit."""

Method = Literal["nested", "pca"]


class Base(msgspec.Struct, frozen=True):
    """The model whose vectors are reduced; `revision` is the commit or the digest of its files."""

    model: str
    revision: str


class Data(msgspec.Struct, frozen=True):
    """What it was trained on. `digest` is of the texts or vectors in their order, whatever file they came in."""

    digest: str
    rows: int
    refused: int
    trained: int
    held_out: int


class Quality(msgspec.Struct, frozen=True):
    """Of the 10 nearest rows by whole vectors, the share among the 10 nearest by shorter ones, in rows that were held
    out: `recall` of this reduction, `cut` of plain cutting, `pca` of principal components.
    """

    dimensions: int
    recall: float
    cut: float
    pca: float


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know of a reduction. `explained[i]` is the share of the variance that i + 1 principal components
    have; `base` is None where it was trained on vectors of no named model.
    """

    format: int
    name: str
    method: Method
    whitened: bool
    width: int
    dimension: int
    base: Base | None
    data: Data
    quality: list[Quality]
    explained: list[float]
    seed: int
    versions: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Reduction:
    """A reduction that is ready to be applied."""

    card: Card
    components: Floats
    shift: Floats

    @property
    def digest(self) -> str:
        """Identifies what it does to vectors."""
        return hashlib.sha256(self.components.tobytes() + self.shift.tobytes()).hexdigest()[:12]

    def apply(self, rows: npt.NDArray[np.floating]) -> Floats:
        """`[n, width]` -> `[n, width]`: rows of length 1 whose prefixes are the shorter vectors.

        Row by row: a product of all rows at once sums in another order for another number of rows, and a vector must
        not depend on its neighbours (docs/decisions/006-bit-equal-batches.md).
        """
        whole = unit_rows(rows)
        reduced = np.empty_like(whole)
        for row, out in zip(whole, reduced, strict=True):
            np.matmul(self.components, row, out=out)
        return unit_rows(reduced + self.shift)


def read_reduction(folder: Path) -> Reduction:
    """Read an artefact. Raises `ModelFilesError` for one that is absent, damaged, or of another format."""
    if not (folder / CARD).is_file():
        raise ModelFilesError(
            f"{folder} holds no trained reduction ({CARD} is not there): make one with embedway reduce train."
        )
    card = read_json(folder / CARD, Card)
    if card.format != FORMAT:
        raise ModelFilesError(
            f"The reduction in {folder} has the format {card.format}, and this version reads {FORMAT}."
        )
    if not 1 <= card.dimension <= card.width <= WIDEST:
        raise ModelFilesError(f"{folder / CARD} is damaged: {card.dimension} of {card.width} dimensions cannot be.")
    weights = Weights([folder / TENSORS])
    components = weights.tensor("components", (card.width, card.width))
    shift = weights.tensor("shift", (card.width,))
    if not (np.isfinite(components).all() and np.isfinite(shift).all()):
        raise ModelFilesError(f"{folder / TENSORS} is damaged: it holds numbers that are not finite.")
    return Reduction(card, components, shift)


def check_base(reduction: Reduction, facts: Facts, model: str) -> None:
    """Raise `ModelFilesError` where a model is not the one whose vectors the reduction was trained on."""
    card = reduction.card
    said = f"The reduction '{card.name}' does not belong to the model '{model}'"
    if card.base is None:
        raise ModelFilesError(
            f"{said}: it was trained on vectors of no named model; train it with --model to serve it as one."
        )
    if card.width != facts.dimensions:
        raise ModelFilesError(
            f"{said}: it reduces vectors of {card.width} dimensions, and the model's have {facts.dimensions}."
        )
    if card.base.revision != facts.revision:
        raise ModelFilesError(
            f"{said}: it was trained on '{card.base.model}', revision {card.base.revision}, and the model's "
            f"revision is {facts.revision}; train it anew."
        )
