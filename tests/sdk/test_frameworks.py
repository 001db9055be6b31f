"""LangChain's and LlamaIndex's embeddings, and LiteLLM's adapters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.golden import decode, tokens, vector_faults

TEXTS = ["hi", "opensearch product documentation", "a"]
Report = dict[str, Any]


def check(vectors: Any, texts: list[str]) -> None:
    """Check the vectors of texts."""
    assert isinstance(vectors, list), vectors
    for vector, text in zip(vectors, texts, strict=True):
        assert vector_faults(vector, text) == []


@pytest.mark.parametrize("name", ["documents", "chunks", "async_documents"])
def test_langchain_embeds_documents(langchain_report: Report, name: str) -> None:
    """At once, one by one, asynchronously."""
    check(langchain_report[name], TEXTS)


@pytest.mark.parametrize("name", ["query", "native", "role", "async_query"])
def test_langchain_embeds_queries(langchain_report: Report, name: str) -> None:
    """Plainly, with the model's own dimensions, with a role in the body."""
    check([langchain_report[name]], ["hi"])


@pytest.mark.parametrize("name", ["texts", "batches", "async_texts"])
def test_llamaindex_embeds_texts(llamaindex_report: Report, name: str) -> None:
    """In one batch, in several, asynchronously."""
    check(llamaindex_report[name], TEXTS)


@pytest.mark.parametrize("name", ["text", "query", "native", "async_query"])
def test_llamaindex_embeds_one(llamaindex_report: Report, name: str) -> None:
    """A text, a query, with the model's own dimensions."""
    check([llamaindex_report[name]], ["hi"])


@pytest.mark.parametrize("framework", ["langchain_report", "llamaindex_report"])
@pytest.mark.parametrize(
    ("name", "raised", "word"),
    [
        ("dimensions", "BadRequestError", "384"),
        ("unknown", "NotFoundError", "no-such-model"),
        ("stranger", "AuthenticationError", "key"),
    ],
)
def test_exceptions(framework: str, name: str, raised: str, word: str, request: pytest.FixtureRequest) -> None:
    """Those of the `openai` client below them, with the server's sentence."""
    found = request.getfixturevalue(framework)[name]
    assert found["raised"] == raised
    assert word in found["text"]


@pytest.mark.parametrize("adapter", ["openai", "infinity", "hosted_vllm", "jina_ai", "cohere"])
def test_litellm_embeds(litellm_report: Report, adapter: str) -> None:
    """Each adapter parses vectors and usage, and raises its own error for a model that is not there."""
    found = litellm_report[f"{adapter}_embed"]
    check(found["vectors"], TEXTS[:2])
    assert found["tokens"] == sum(tokens(text) for text in TEXTS[:2])
    unknown = litellm_report[f"{adapter}_unknown"]
    assert (unknown["raised"], unknown["status_code"]) == ("NotFoundError", 404)
    assert "no-such-model" in unknown["text"]


def test_litellm_embeds_as_text_embeddings_inference_does(litellm_report: Report) -> None:
    """The adapter huggingface/, told the task: else it asks the hub for it."""
    check(litellm_report["huggingface_embed"]["vectors"], TEXTS[:2])


def test_litellm_passes_fields_on(litellm_report: Report) -> None:
    """Base64, dimensions, a task, types of numbers."""
    check([decode(vector) for vector in litellm_report["openai_base64"]["vectors"]], TEXTS[:2])
    for name in ("hosted_vllm_dimensions", "jina_ai_task", "cohere_types"):
        check(litellm_report[name]["vectors"], TEXTS[:2])


@pytest.mark.parametrize("adapter", ["cohere", "jina_ai", "hosted_vllm", "huggingface", "infinity"])
def test_litellm_ranks(litellm_report: Report, adapter: str) -> None:
    """Each adapter finds order and scores."""
    found = litellm_report[f"{adapter}_bare"]
    assert "raised" not in found, found
    assert found["indexes"] == [1, 0]
    assert 1 >= found["scores"][0] > found["scores"][1] >= 0


@pytest.mark.parametrize("adapter", ["cohere", "jina_ai", "hosted_vllm", "huggingface"])
def test_litellm_ranks_with_documents(litellm_report: Report, adapter: str) -> None:
    """And the documents, where they are asked for.

    Its adapter for Infinity sends what Jina's sends, and reads another form of them.
    """
    found = litellm_report[f"{adapter}_rerank"]
    assert [row["text"] for row in found["documents"]] == [
        "Paris is the capital of France.",
        "Berlin is the capital of Germany.",
    ]
