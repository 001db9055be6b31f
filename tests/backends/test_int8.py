"""Linear layers in int8: faster, a little coarser, and it says how much."""

from __future__ import annotations

import numpy as np
import pytest

from embedway.backends.agreement import compare, nearest
from embedway.backends.open import open_backend
from embedway.errors import SettingsError
from embedway.models.sample import TEXTS
from embedway.settings import BUNDLED
from embedway.types import ModelSpec, Text


def test_agreement_counts_cosines_and_neighbours() -> None:
    """By hand: the last row is turned towards the first, and so every row gets another nearest neighbour."""
    exact = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0.6, 0.8]], dtype=np.float32)
    assert nearest(exact).tolist() == [1, 0, 1]
    coarse = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.96, 0.28, 0]], dtype=np.float32)
    agreement = compare(exact, coarse)
    assert agreement.least_cosine == pytest.approx(0.6 * 0.28)
    assert agreement.mean_cosine == pytest.approx((2 + 0.6 * 0.28) / 3)
    assert agreement.same_neighbour == 0
    assert compare(exact, exact).same_neighbour == 1
    assert agreement.texts == 3


def test_the_bundled_model_in_int8() -> None:
    """Near float32, as its own measurement says, and not float32."""
    coarse = open_backend(ModelSpec("minilm", BUNDLED, dtype="int8"))
    exact = open_backend(ModelSpec("minilm", BUNDLED, dtype="fp32"))
    agreement = coarse.facts.agreement
    assert agreement is not None
    assert exact.facts.agreement is None
    assert 0.997 < agreement.least_cosine <= agreement.mean_cosine < 0.99999
    assert agreement.same_neighbour > 0.85
    text = Text("a sentence that is not among the built-in ones")
    vectors = [backend.run([backend.prepare(text)])[0].dense for backend in (coarse, exact)]
    assert 0.997 < float(np.dot(*vectors)) < 0.999999


def test_an_int8_vector_does_not_depend_on_its_neighbours() -> None:
    """What is quantised is quantised token by token: others in the batch move nothing but the last digits."""
    backend = open_backend(ModelSpec("minilm", BUNDLED, dtype="int8"))
    features = [backend.prepare(Text(text)) for text in TEXTS]
    among = backend.run(features)
    for index in (0, 24, 35):
        alone = backend.run([features[index]])[0].dense
        assert np.abs(alone - among[index].dense).max() < 1e-3


def test_fp16_is_refused_on_the_cpu() -> None:
    """With what can be chosen instead."""
    with pytest.raises(SettingsError, match="bf16, fp32 or int8"):
        open_backend(ModelSpec("minilm", BUNDLED, dtype="fp16"))
