"""The bundled model with its real weights: the reference's vectors, the same in any company."""

from __future__ import annotations

import numpy as np
import pytest

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.errors import InvalidInput, SetupError
from embedway.types import ModelSpec, Text, Vector
from tests.reference import compare, texts

BUNDLED = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def backend() -> Backend:
    return open_backend(ModelSpec("minilm", BUNDLED, dtype="fp32"))


@pytest.fixture(scope="module")
def reference() -> compare.Reference:
    return compare.load()


@pytest.fixture(scope="module")
def alone(backend: Backend) -> list[Vector]:
    return [vector(backend, text) for text in texts.texts()]


def vector(backend: Backend, text: str) -> Vector:
    dense = backend.run([backend.prepare(Text(text))])[0].dense
    assert dense is not None
    return dense


def test_float32_gives_the_reference_librarys_vectors(alone: list[Vector], reference: compare.Reference) -> None:
    """500 texts of many languages, 2 to 600 tokens: cosine with sentence-transformers at least 0.99999 each."""
    agreement = compare.agree(np.array(alone), reference.vectors)
    assert agreement.lowest >= compare.FP32_COSINE


def test_tokens_are_counted_as_the_reference_reads_them(backend: Backend, reference: compare.Reference) -> None:
    """Special tokens included, after cutting; what was cut is said."""
    features = [backend.prepare(Text(text)) for text in texts.texts()]
    assert [one.cost for one in features] == reference.tokens.tolist()
    assert [one.cut for one in features] == (reference.all_tokens > 256).tolist()


def test_a_vector_is_the_same_to_the_bit_among_63_others(backend: Backend, alone: list[Vector]) -> None:
    """Texts of mixed lengths, in batches of 64: none differs from what it is alone (float32)."""
    order = np.random.default_rng(3).permutation(len(alone))
    features = [backend.prepare(Text(text)) for text in texts.texts()]
    different = 0
    for start in range(0, len(order), 64):
        chosen = order[start : start + 64]
        for index, outputs in zip(chosen, backend.run([features[i] for i in chosen]), strict=True):
            different += not np.array_equal(alone[index], outputs.dense)
    assert different == 0


def test_bfloat16_stays_near_the_reference(reference: compare.Reference) -> None:
    """Cosine at least 0.9995; on a CPU without bfloat16 instructions the same arithmetic is emulated."""
    backend = open_backend(ModelSpec("minilm", BUNDLED, dtype="bf16"))
    chosen = [index for index, count in enumerate(reference.tokens) if count <= 48][:24]
    features = [backend.prepare(Text(texts.texts()[index])) for index in chosen]
    vectors = np.array([outputs.dense for outputs in backend.run(features)])
    assert (
        compare.agree(vectors, reference.vectors[chosen], [str(index) for index in chosen]).lowest
        >= compare.BF16_COSINE
    )


def test_a_batch_of_many_equals_batches_of_one(backend: Backend, alone: list[Vector]) -> None:
    """Also when equal texts stand side by side."""
    features = [backend.prepare(Text(texts.texts()[7]))] * 40
    for outputs in backend.run(features):
        assert np.array_equal(outputs.dense, alone[7])


def test_a_text_too_long_is_refused_where_the_model_says_so() -> None:
    """`truncation = "error"` instead of cutting."""
    strict = open_backend(ModelSpec("minilm", BUNDLED, truncation="error"))
    strict.prepare(Text("word " * 200))
    with pytest.raises(InvalidInput, match="256 tokens"):
        strict.prepare(Text("word " * 300))


def test_a_known_service_id_is_not_given_to_a_model_that_differs() -> None:
    """Unless it is declared a stand-in."""
    with pytest.raises(SetupError, match="1024"):
        open_backend(ModelSpec("ops-text-embedding-002", BUNDLED))
    open_backend(ModelSpec("ops-text-embedding-002", BUNDLED, stand_in=True))
