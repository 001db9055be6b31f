"""Fewer bits as `quantize_embeddings` of sentence-transformers makes them."""

from __future__ import annotations

import numpy as np
import pytest
from sentence_transformers.util.quantization import quantize_embeddings

from embedway.vectors import SPREAD, Precision, quantize


def rows(width: int) -> np.ndarray:
    """Random directions."""
    found = np.random.default_rng(width).standard_normal((50, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
@pytest.mark.parametrize("width", [8, 13, 384, 1000])
def test_bits_are_the_librarys(precision: Precision, width: int) -> None:
    """To the byte and in type, also where the last byte is not full."""
    ours, theirs = quantize(rows(width), precision), quantize_embeddings(rows(width), precision)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
def test_bytes_are_the_librarys_for_the_same_range(precision: Precision) -> None:
    """But for its rounding down, and 0 for 0: two steps of 255 at most."""
    vectors = rows(384)
    limit = np.full(384, SPREAD / np.sqrt(384))
    theirs = quantize_embeddings(vectors, precision, ranges=np.stack([-limit, limit]))
    ours = quantize(vectors, precision)
    assert ours.dtype == theirs.dtype
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2
