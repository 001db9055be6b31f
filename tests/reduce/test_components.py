"""Principal components, and what cannot be learned from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.errors import InvalidInput
from embedway.reduce.components import about_mean, about_zero, check_variety, directions, explained

from .artefacts import rows

FOUND = rows(500, 8).astype(np.float64)
MEAN, COVARIANCE = FOUND.mean(axis=0), np.cov(FOUND.T, bias=True)


def test_the_directions_are_those_of_the_singular_value_decomposition() -> None:
    """Of the centred rows, the largest first, up to their sign; and the shares are theirs."""
    _, sizes, wanted = np.linalg.svd(FOUND - MEAN)
    values, found = directions(COVARIANCE)
    assert np.allclose(values, sizes**2 / len(FOUND))
    assert np.allclose(np.abs((found * wanted).sum(axis=1)), 1)
    assert np.allclose(explained(COVARIANCE), np.cumsum(sizes**2) / (sizes**2).sum())


def test_about_zero_keeps_every_cosine() -> None:
    """It is a rotation."""
    mapped = about_zero(FOUND.T @ FOUND / len(FOUND)).apply(FOUND)
    assert np.allclose(mapped @ mapped.T, FOUND @ FOUND.T, atol=1e-6)


@given(st.integers(1, 8))
def test_no_other_directions_keep_more(length: int) -> None:
    """Of the rows' squared length, in the mean."""
    kept = (about_zero(FOUND.T @ FOUND / len(FOUND)).apply(FOUND)[:, :length] ** 2).sum()
    others = np.linalg.qr(np.random.default_rng(length).standard_normal((8, 8)))[0]
    assert kept >= ((FOUND @ others[:, :length]) ** 2).sum()


def test_whitened_components_vary_alike() -> None:
    """And not together; the mean is taken off."""
    mapped = about_mean(COVARIANCE, MEAN, whiten=True).apply(FOUND)
    assert np.allclose(mapped.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(np.cov(mapped.T, bias=True), np.eye(8) / 8, atol=1e-4)


def test_whitening_leaves_out_what_does_not_vary() -> None:
    """Rather than dividing by nothing."""
    flat = FOUND.copy()
    flat[:, 3] = 0
    mapped = about_mean(np.cov(flat.T, bias=True), flat.mean(axis=0), whiten=True).apply(flat)
    assert np.isfinite(mapped).all()
    assert not mapped[:, 7].any()


def test_vectors_that_are_all_the_same_teach_nothing() -> None:
    """One sentence says so."""
    with pytest.raises(InvalidInput, match="All vectors are the same"):
        check_variety(np.zeros((4, 4)), 2)


def test_too_few_directions_are_counted() -> None:
    """And a length that there is variety for is named."""
    flat = FOUND.copy()
    flat[:, 3:] = 0
    with pytest.raises(InvalidInput, match="differ in 3 directions only: give --dimension 3 or less"):
        check_variety(np.cov(flat.T, bias=True), 4)
    check_variety(np.cov(flat.T, bias=True), 3)
