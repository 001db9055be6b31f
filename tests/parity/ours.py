"""What Embedway makes of a model, through its own Python interface."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embedway.backends.open import open_backend
from embedway.types import DType, ModelSpec, Text


class Computed(NamedTuple):
    """Vectors float32 [texts, dimensions] and token counts int32 [texts] (special ones too, after cutting)."""

    vectors: NDArray[np.float32]
    tokens: NDArray[np.int32]


def fastest_dtype(source: str) -> DType:
    """Return the precision that Embedway chooses by itself on this machine."""
    with closing(open_backend(ModelSpec(name="parity", source=source))) as backend:
        return backend.facts.dtype


def compute(source: str, texts: Sequence[str], *, dtype: DType = "fp32", batch_items: int = 32) -> Computed:
    """Open the model and run the texts in the order given, `batch_items` together."""
    with closing(open_backend(ModelSpec(name="parity", source=source, dtype=dtype))) as backend:
        features = [backend.prepare(Text(text)) for text in texts]
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(features), batch_items):
            for outputs in backend.run(features[start : start + batch_items]):
                assert outputs.dense is not None
                rows.append(outputs.dense)
        return Computed(
            vectors=np.stack(rows),
            tokens=np.array([each.cost for each in features], dtype=np.int32),
        )
