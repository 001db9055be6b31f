"""Cohere's client: embed in both versions, every type of numbers, its exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.wire.golden import decode, tokens, vector_faults

TEXTS = ["hi", "opensearch product documentation"]
READ = sum(tokens(text) for text in TEXTS)
Report = dict[str, Any]


def test_every_type(cohere_embed_report: Report) -> None:
    """The client parses each; they are the same vectors."""
    found = cohere_embed_report["all"]
    assert "raised" not in found, found
    assert (found["texts"], found["version"], found["tokens"]) == (TEXTS, "2", READ)
    vectors = found["embeddings"]
    for index, text in enumerate(TEXTS):
        assert vector_faults(vectors["float"][index], text) == []
        assert vector_faults(decode(vectors["base64"][index]), text) == []
        signs = np.array(vectors["float"][index]) > 0
        assert np.unpackbits(np.array(vectors["ubinary"][index], dtype=np.uint8)).tolist() == signs.tolist()
        assert (np.array(vectors["binary"][index]) + 128).tolist() == vectors["ubinary"][index]
        assert (np.array(vectors["int8"][index]) + 128).tolist() == vectors["uint8"][index]
        assert np.corrcoef(vectors["int8"][index], vectors["float"][index])[0, 1] > 0.999


@pytest.mark.parametrize("name", ["default", "query", "inputs", "async"])
def test_floats(cohere_embed_report: Report, name: str) -> None:
    """By default, with a role, from parts, asynchronously."""
    vectors = cohere_embed_report[name]["embeddings"]
    assert [kind for kind, found in vectors.items() if found is not None] == ["float"]
    for vector, text in zip(vectors["float"], TEXTS, strict=True):
        assert vector_faults(vector, text) == []


def test_version_one(cohere_embed_report: Report) -> None:
    """A list of vectors, by type where that is asked for; more texts than the client sends at a time."""
    found = cohere_embed_report["v1"]
    assert found["kind"] == "embeddings_floats"
    assert found["texts"] == TEXTS
    for vector, text in zip(found["vectors"], TEXTS, strict=True):
        assert vector_faults(vector, text) == []
    assert cohere_embed_report["v1_many"] == 200
    typed = cohere_embed_report["v1_types"]
    assert typed["kind"] == "embeddings_by_type"
    assert typed["embeddings"]["int8"] == cohere_embed_report["all"]["embeddings"]["int8"]


@pytest.mark.parametrize(
    ("name", "raised", "word"),
    [
        ("unknown", "NotFoundError", "embed-v9"),
        ("dimension", "BadRequestError", "output_dimension"),
        ("empty", "BadRequestError", "texts"),
        ("stranger", "UnauthorizedError", "key"),
    ],
)
def test_exceptions(cohere_embed_report: Report, name: str, raised: str, word: str) -> None:
    """The client's own, with the message."""
    found = cohere_embed_report[name]
    assert found["raised"] == raised
    assert word in found["body"]["message"]


def test_images(cohere_images_report: Report) -> None:
    """In `images`, as parts of `inputs` beside a text, in version 1: the same vectors, and counted."""
    found = cohere_images_report["images"]
    assert found["images"] == 2
    assert np.linalg.norm(np.array(found["vectors"]), axis=1) == pytest.approx(1, abs=1e-5)
    mixed = cohere_images_report["inputs"]
    assert (mixed["images"], len(mixed["vectors"])) == (2, 3)
    assert np.allclose(mixed["vectors"][:2], found["vectors"], atol=1e-5)
    assert np.allclose(cohere_images_report["v1"]["vectors"], found["vectors"], atol=1e-5)


def test_images_that_are_refused(cohere_images_report: Report) -> None:
    """For a model of texts, and joined with a text: the sentence says what is wrong, with the place."""
    for name, words in (("of_texts", ("texts only", "images[0]")), ("joined", ("one part", "inputs[0]"))):
        found = cohere_images_report[name]
        assert found["raised"] == "BadRequestError"
        assert all(word in found["body"]["message"] for word in words)


def test_inference_client(huggingface_embed_report: Report) -> None:
    """The hub's client against text-embeddings-inference's routes: features, similarity, refusals."""
    (vector,) = huggingface_embed_report["features"]
    assert vector_faults(vector, "opensearch product documentation") == []
    same, other = huggingface_embed_report["similarity"]
    assert same == pytest.approx(1, abs=1e-5)
    assert other < 0.5
    assert huggingface_embed_report["empty"]["raised"] == "BadRequestError"
