"""Embedway's own backend in process: the tokenizing, batching and pass of the server without HTTP, queue or cache.

The difference between this row and the server's is what the server itself costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.drivers import library
from embedway.backends.open import open_backend
from embedway.engine.batch import Budget, take
from embedway.settings import Settings
from embedway.types import Features, ModelSpec, Text

NAME = "all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Waiting:
    """An item of the queue as `embedway.engine.batch.take` reads it."""

    place: int
    features: Features

    @property
    def cost(self) -> int:
        """Tokens."""
        return self.features.cost

    @property
    def urgency_s(self) -> float:
        """All came at once, in this order."""
        return float(self.place)


def open_encode() -> tuple[library.Encode, library.Encode]:
    """The backend and the server's default batch budget."""
    backend = open_backend(ModelSpec(name=NAME, source=NAME))
    budget = Budget(tokens=Settings().max_batch_tokens, items=Settings().max_batch_items)

    def encode(chosen: list[str]):  # type: ignore[no-untyped-def]
        waiting = [Waiting(place, backend.prepare(Text(text))) for place, text in enumerate(chosen)]
        vectors = np.empty((len(chosen), backend.facts.dimensions), dtype=np.float32)
        while waiting:
            taken = set(take(waiting, budget))
            batch = [waiting[index] for index in sorted(taken)]
            waiting = [item for index, item in enumerate(waiting) if index not in taken]
            for item, outputs in zip(batch, backend.run([item.features for item in batch]), strict=True):
                vectors[item.place] = outputs.dense
        return vectors

    return encode, lambda chosen: encode(chosen).tolist()


if __name__ == "__main__":
    library.serve(open_encode)
