"""What is done to a vector between the model and the wire."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embedway.errors import ModelFailed
from embedway.vectors import (
    Precision,
    check_finite,
    encode_base64,
    late_interaction,
    quantize,
    shorten,
    unit_rows,
)

numbers = st.floats(-1, 1, width=32, allow_subnormal=False)
"""No model gives subnormal numbers, and scaling one keeps only some of its bits."""
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


def unit(seed: int, width: int) -> np.ndarray:
    """A random direction, as embeddings have them."""
    vector = np.random.default_rng(seed).standard_normal(width)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left.astype(np.float64), right.astype(np.float64)
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


precisions: st.SearchStrategy[Precision] = st.sampled_from(["int8", "uint8", "binary", "ubinary"])


@given(st.lists(vectors, min_size=1, max_size=5), precisions)
def test_a_quantised_vector_is_its_own_alone(several: list[np.ndarray], precision: Precision) -> None:
    """Whatever rows stand beside it."""
    width = min(map(len, several))
    rows = np.stack([one[:width] for one in several])
    together = quantize(rows, precision)
    for row, found in zip(rows, together, strict=True):
        assert np.array_equal(quantize(row, precision), found)


@given(vectors)
def test_int8_is_the_vector_on_a_scale(vector: np.ndarray) -> None:
    """Every number is half a step away at most, 0 is 0, and uint8 is the same moved by 128."""
    steps = quantize(vector, "int8")
    assert (steps.dtype, steps.shape) == (np.int8, vector.shape)
    whole = vector.astype(np.float64)
    limit = max(np.abs(whole).max(), 8 * np.sqrt(np.mean(whole**2)))
    assert np.abs(steps * limit / 127 - whole).max() <= limit / 254 * (1 + 1e-9)
    assert not steps[vector == 0].any()
    moved = quantize(vector, "uint8")
    assert moved.dtype == np.uint8
    assert np.array_equal(moved.astype(int) - 128, steps)


@given(vectors, st.floats(0.25, 4, width=32))
def test_int8_does_not_see_a_vectors_length(vector: np.ndarray, factor: float) -> None:
    """Longer or shorter, it points the same way; rounding decides by a step at most."""
    steps, scaled = quantize(vector, "int8"), quantize(vector * np.float32(factor), "int8")
    assert np.abs(steps.astype(int) - scaled).max() <= 1


@given(st.integers(0, 10_000), st.sampled_from([64, 384, 1024]), st.sampled_from([0.0, 0.9]))
def test_int8_keeps_cosines(seed: int, width: int, outlier: float) -> None:
    """With numbers of one size, and where one stands far out as some models have it."""
    left, right = unit(seed, width), unit(seed + 1, width)
    left[0], right[0] = left[0] + outlier, right[0] + outlier
    assert cosine(quantize(left, "int8"), left) > (0.9995 if not outlier else 0.995)
    assert cosine(quantize(left, "int8"), quantize(right, "int8")) == pytest.approx(cosine(left, right), abs=0.02)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_int8_keeps_dot_products_of_unit_vectors(one: int, other: int) -> None:
    """One scale serves all: the dot product is the cosine, times what the scale makes of length 1."""
    left, right = unit(one, 384), unit(other, 384)
    product = quantize(left, "int8").astype(int) @ quantize(right, "int8")
    assert product / (127 / 8) ** 2 / 384 == pytest.approx(float(left @ right), abs=0.01)


@given(vectors)
def test_bits_are_the_signs(vector: np.ndarray) -> None:
    """The first number in the highest bit of the first byte; zeros fill the last byte; binary is ubinary less 128."""
    packed = quantize(vector, "ubinary")
    assert (packed.dtype, len(packed)) == (np.uint8, -(-len(vector) // 8))
    bits = "".join(f"{byte:08b}" for byte in packed.tolist())
    assert [bit == "1" for bit in bits[: len(vector)]] == [number > 0 for number in vector.tolist()]
    assert "1" not in bits[len(vector) :]
    signed = quantize(vector, "binary")
    assert signed.dtype == np.int8
    assert np.array_equal(signed.astype(int) + 128, packed)


@given(vectors, precisions)
def test_base64_of_bytes_is_those_bytes(vector: np.ndarray, precision: Precision) -> None:
    """One byte a number, signed or not."""
    found = quantize(vector, precision)
    assert base64.b64decode(encode_base64(found)) == found.tobytes()
