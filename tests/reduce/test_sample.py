"""What is kept of a stream of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedway.reduce.sample import Sample, Stream

from .artefacts import rows


def stream(found: np.ndarray, pieces: int, seed: int = 0) -> Stream:
    made = Stream(found.shape[1], seed)
    for piece in np.array_split(found, pieces):
        made.add(piece)
    return made


@given(st.integers(1, 40), st.integers(0, 5))
def test_moments_are_those_of_all_rows_at_once(pieces: int, seed: int) -> None:
    """In however many pieces they come; held out rows take no part."""
    found = rows(300, 6, seed)
    made = stream(found, pieces)
    kept = made.trained.rows.astype(np.float64)
    assert len(kept) + len(made.held_out.rows) == len(found)
    assert np.allclose(made.mean, kept.mean(axis=0))
    assert np.allclose(made.covariance, np.cov(kept.T, bias=True), atol=1e-12)


def test_the_sample_does_not_depend_on_the_order_of_the_rows() -> None:
    """Nor on how often a row comes."""
    found = rows(200, 5)
    once, again = stream(found, 3), stream(np.concatenate([found[::-1], found[:50]]), 7)
    assert np.array_equal(once.trained.rows, again.trained.rows)
    assert np.array_equal(once.held_out.rows, again.held_out.rows)
    assert again.rows == 250


def test_no_row_is_both_trained_on_and_held_out() -> None:
    """Also where it comes twice. Another seed holds out others."""
    found = rows(300, 5)
    made, other = stream(np.concatenate([found, found]), 4), stream(found, 4, seed=1)
    trained, held_out = ({row.tobytes() for row in part.rows} for part in (made.trained, made.held_out))
    assert not trained & held_out
    assert len(trained | held_out) == 300
    assert not np.array_equal(made.held_out.rows, other.held_out.rows)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 20), st.integers(1, 9))
def test_a_full_sample_keeps_the_least_keys(keys: list[int], most: int, piece: int) -> None:
    """In whatever pieces they come."""
    sample = Sample(1, most)
    for start in range(0, len(keys), piece):
        part = np.array(keys[start : start + piece], dtype=np.uint64)
        sample.add(part, part[:, None].astype(np.float32))
    assert sample.keys.tolist() == sorted(set(keys))[:most]
    assert sample.rows[:, 0].tolist() == sample.keys.tolist()
