"""Rerank and classify by the vendors' clients: `cohere` 7.3, `infinity_client` 0.0.78, `huggingface_hub` 2.4."""

from __future__ import annotations

import math
from typing import Any

import pytest

Report = dict[str, Any]

DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked in an oven."]
ORDER = [1, 0, 2]
TOKENS = 36


@pytest.mark.parametrize("name", ["v1", "v1_async", "v2", "v2_async"])
def test_cohere(cohere_report: Report, name: str) -> None:
    """Both versions of the client, sync and async, parse order, scores, version and usage."""
    found = cohere_report[name]
    assert found["indexes"] == ORDER
    assert found["scores"] == sorted(found["scores"], reverse=True)
    assert all(0 <= score <= 1 for score in found["scores"])
    assert found["version"] == name[1]
    assert (found["units"], found["tokens"]) == (1, TOKENS)
    assert found["id"]


def test_cohere_version_one_documents(cohere_report: Report) -> None:
    """Objects are accepted, and come back as objects; they are left out where that is asked."""
    found = cohere_report["v1_objects"]
    assert found["indexes"] == ORDER[:2]
    assert found["documents"] == [DOCUMENTS[index] for index in ORDER[:2]]
    assert cohere_report["v1_bare"]["documents"] == [None, None, None]


def test_cohere_version_two_options(cohere_report: Report) -> None:
    """`top_n` cuts; the other options do no harm; documents are not given back."""
    assert cohere_report["v2_more"]["indexes"] == ORDER[:1]
    assert cohere_report["v2_more"]["documents"] == [None]


def test_cohere_with_a_cross_encoder(cohere_report: Report) -> None:
    """A reranker reads the query with each document, so it consumes more tokens."""
    found = cohere_report["v2_reranker"]
    assert sorted(found["indexes"]) == [0, 1, 2]
    assert found["tokens"] > TOKENS


@pytest.mark.parametrize(
    ("name", "raised", "status", "said"),
    [
        ("v1_unknown", "NotFoundError", 404, "rerank-v9"),
        ("v2_unknown", "NotFoundError", 404, "rerank-v9"),
        ("v2_empty", "BadRequestError", 400, "documents"),
        ("v2_stranger", "UnauthorizedError", 401, "key"),
    ],
)
def test_cohere_exceptions(cohere_report: Report, name: str, raised: str, status: int, said: str) -> None:
    """Refusals become the client's own exceptions, with the sentence in their body."""
    found = cohere_report[name]
    assert (found["raised"], found["status_code"]) == (raised, status)
    assert said in str(found["body"])


@pytest.mark.parametrize("base", ["root", "v1"])
def test_infinity_rerank(infinity_ranking_report: Report, base: str) -> None:
    """The strict client parses the answer; documents come back as plain texts."""
    found = infinity_ranking_report[f"{base}_rerank"]
    assert found["object"] == "rerank"
    assert found["id"].startswith("infinity-")
    assert found["created"] > 1_600_000_000
    assert found["indexes"] == ORDER
    assert found["usage"] == [TOKENS, TOKENS]
    assert found["documents"] == [None, None, None]
    asked = infinity_ranking_report[f"{base}_documents"]
    assert asked["documents"] == [DOCUMENTS[index] for index in ORDER[:2]]


@pytest.mark.parametrize("base", ["root", "v1"])
def test_infinity_raw_scores(infinity_ranking_report: Report, base: str) -> None:
    """Raw scores are logits, the others their sigmoid; a model that is not named is the only reranker."""
    raw, scored = (infinity_ranking_report[f"{base}_{name}"] for name in ("raw", "scored"))
    assert scored["model"] == raw["model"] == "scorer"
    assert scored["indexes"] == raw["indexes"]
    assert scored["scores"] == pytest.approx([1 / (1 + math.exp(-logit)) for logit in raw["scores"]], abs=1e-6)


@pytest.mark.parametrize("base", ["root", "v1"])
def test_infinity_classify(infinity_ranking_report: Report, base: str) -> None:
    """Each text has every label, the likeliest first; an embedder is refused."""
    found = infinity_ranking_report[f"{base}_classify"]
    assert [sorted(labels) for labels in found["labels"]] == [["glad", "neutral", "sad"]] * 2
    assert [sum(scores) for scores in found["scores"]] == pytest.approx([1, 1], abs=1e-5)
    assert found["usage"][0] == found["usage"][1] > 0
    for name, status in (("misused", 400), ("unknown", 404)):
        assert infinity_ranking_report[f"{base}_{name}"]["status_code"] == status


@pytest.mark.parametrize("name", ["classify", "async"])
def test_inference_client(huggingface_report: Report, name: str) -> None:
    """text-embeddings-inference's answer to one text is a flat list, of which the hub's client hands out the first."""
    assert huggingface_report[name]["label"] in ("sad", "neutral", "glad")
    assert 1 / 3 <= huggingface_report[name]["score"] <= 1


@pytest.mark.parametrize(
    ("name", "raised", "said"), [("empty", "BadRequestError", "cannot be empty"), ("stranger", "HfHubHTTPError", "401")]
)
def test_inference_client_exceptions(huggingface_report: Report, name: str, raised: str, said: str) -> None:
    """Refusals become the client's own exceptions, and what they say is the server's sentence."""
    assert huggingface_report[name]["raised"] == raised
    assert said in huggingface_report[name]["text"]
