"""A backend whose dense vectors go through a trained reduction: one matrix product for each batch, on the device's
thread.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embedway.backends.base import Backend, Outcome, Vocabulary
from embedway.errors import UnsupportedModel
from embedway.models.reduction import Reduction, check_base, read_reduction
from embedway.types import Facts, Features, Item, Output, Outputs


class ReducedBackend:
    """Gives all components of the reduction, most telling first; the engine cuts them to the length asked for."""

    def __init__(self, base: Backend, reduction: Reduction, model: str) -> None:
        """Raises `ModelFilesError` where the reduction is not the base's."""
        if Output.DENSE not in base.facts.outputs:
            raise UnsupportedModel(f"The model '{model}' gives no vectors: there is nothing to reduce.")
        check_base(reduction, base.facts, model)
        self._base = base
        self._reduction = reduction
        self.facts: Facts = dataclasses.replace(
            base.facts,
            dimensions=reduction.card.dimension,
            full_dimensions=reduction.card.width,
            matryoshka=(1, reduction.card.width),
            revision=f"{base.facts.revision}+{reduction.digest}",
            normalized=True,
        )

    def prepare(self, item: Item) -> Features:
        return self._base.prepare(item)

    def run(self, batch: Sequence[Features]) -> Sequence[Outcome]:
        outputs = self._base.run(batch)
        whole = [one.dense for one in outputs if isinstance(one, Outputs) and one.dense is not None]
        reduced = iter(self._reduction.apply(np.stack(whole))) if whole else iter(())
        return [
            dataclasses.replace(one, dense=next(reduced)) if isinstance(one, Outputs) and one.dense is not None else one
            for one in outputs
        ]

    @property
    def vocabulary(self) -> Vocabulary:
        return self._base.vocabulary

    def close(self) -> None:
        self._base.close()


def open_reduced(base: Backend, folder: str, model: str) -> ReducedBackend:
    """Put the artefact of `folder` behind `base`, which is closed where that cannot be done. Raises `SetupError`."""
    try:
        return ReducedBackend(base, read_reduction(Path(folder)), model)
    except Exception:
        base.close()
        raise
