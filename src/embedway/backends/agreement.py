"""How well a model in a coarser precision agrees with itself in float32, measured when it is loaded."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embedway.models.sample import TEXTS
from embedway.types import Agreement, Outputs, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedway.backends.base import Backend

Vectors = npt.NDArray[np.float32]


def sample_vectors(backend: Backend) -> Vectors:
    """The built-in texts' vectors, of length 1: float32 `[texts, dimensions]`."""
    features = [backend.prepare(Text(text)) for text in TEXTS]
    outputs = [one for one in backend.run(features) if isinstance(one, Outputs)]
    rows = np.stack([one.dense for one in outputs if one.dense is not None])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def compare(exact: Vectors, coarse: Vectors) -> Agreement:
    """Cosines row by row, and how often the nearest other text is the same."""
    cosines = (exact * coarse).sum(axis=1)
    same = nearest(exact) == nearest(coarse)
    return Agreement(float(cosines.min()), float(cosines.mean()), float(same.mean()), len(exact))


def nearest(vectors: Vectors) -> npt.NDArray[np.int64]:
    """For each row the index of the nearest other row by cosine."""
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -np.inf)
    return np.asarray(similar.argmax(axis=1))


def measure(open_exact: Callable[[], Backend], coarse: Backend) -> Agreement:
    """Open the model in float32, compare, and close it again: only its 48 vectors stay."""
    with closing(open_exact()) as exact:
        return compare(sample_vectors(exact), sample_vectors(coarse))
