"""What is done to a vector between the model and the wire."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embedway.errors import ModelFailed
from embedway.vectors import check_finite, encode_base64, late_interaction, shorten, unit_rows

numbers = st.floats(-1, 1, width=32)
vectors = arrays(np.float32, st.integers(1, 64), elements=numbers)


@given(vectors, st.integers(1, 64))
def test_a_shortened_vector_has_length_one_and_the_same_direction(vector: np.ndarray, dimensions: int) -> None:
    """Unless its head is zero, which has no direction."""
    dimensions = min(dimensions, len(vector))
    short = shorten(vector, dimensions)
    assert short.shape == (dimensions,)
    assert short.dtype == np.float32
    norm = np.linalg.norm(vector[:dimensions].astype(np.float64))
    if dimensions < len(vector) and norm > 1e-6:
        assert np.linalg.norm(short.astype(np.float64)) == pytest.approx(1, abs=1e-6)
        assert short == pytest.approx(vector[:dimensions] / norm, abs=1e-6)


def test_native_length_is_the_vector_itself() -> None:
    """Nothing is computed, nothing changes."""
    vector = np.array([3, 4], dtype=np.float32)
    assert shorten(vector, None) is vector
    assert shorten(vector, 2) is vector


@given(vectors)
def test_base64_is_little_endian_float32(vector: np.ndarray) -> None:
    """What openai's client decodes."""
    assert np.array_equal(np.frombuffer(base64.b64decode(encode_base64(vector)), dtype="<f4"), vector)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad: float) -> None:
    """JSON has no word for it."""
    check_finite(np.zeros(3, dtype=np.float32))
    with pytest.raises(ModelFailed):
        check_finite(np.array([0, bad], dtype=np.float32))


@given(st.integers(0, 5), st.integers(0, 3000), st.integers(0, 2**32 - 1))
def test_late_interaction_is_the_mean_of_the_largest_cosines(query: int, document: int, seed: int) -> None:
    """However many pieces a document is compared in; without tokens on one side it is 0."""
    rng = np.random.default_rng(seed)
    ours, theirs = (unit_rows(rng.standard_normal((tokens, 4))) for tokens in (query, document))
    found = late_interaction(ours, theirs)
    wanted = (ours @ theirs.T).max(axis=1).mean() if query and document else 0.0
    assert found == pytest.approx(wanted, abs=1e-6)
    assert -1.000001 <= found <= 1.000001


def test_rows_of_zeros_stay() -> None:
    """They have no direction; the others get length 1."""
    assert unit_rows(np.array([[0, 0], [3, 4]])).tolist() == [[0, 0], pytest.approx([0.6, 0.8])]
