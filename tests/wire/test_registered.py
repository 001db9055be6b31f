"""A registered model answers by its name on every dialect, here from a second Embedway; and only in its namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .exchange import KEY, get, post
from .golden import decode, tokens, vector_faults
from .registry import ADMIN, INSTANCE, call, create

TEXTS = ["hi", "科学技术是第一生产力"]
RANK = {
    "query": "What is the capital of France?",
    "documents": ["Berlin is in Germany.", "Paris is the capital of France."],
}
PLATFORM = "/v3/openapi/workspaces/{}/{}/{}"


@pytest.fixture(scope="module", autouse=True)
def far(registry: Server, plain: Server) -> Iterator[None]:
    """The bundled model of another server, as `far` in the default instance and as `near` in another."""
    content = {
        "modelType": "text_embedding",
        "dimension": 384,
        "url": f"{plain.url}/v1/embeddings",
        "request": {"requestBody": f'{{"model": "{MODEL}", "input": ["%{{input}}"]}}'},
        "response": {"embeddings": "$.data[*].embedding"},
    }
    create(registry, "far", content)
    create(registry, "near", content, INSTANCE)
    yield
    for instance, name in (("default", "far"), (INSTANCE, "near")):
        assert call(registry, "DELETE", f"/{name}", instance=instance).status == 200


def ask(registry: Server, path: str, body: Any) -> Any:
    answer = post(registry, path, body, key=KEY)
    assert answer.status == 200, answer.body
    return answer.json()


def check(vectors: Any, texts: list[str] = TEXTS) -> None:
    """The vectors are those that the library makes of the texts."""
    assert len(vectors) == len(texts)
    for vector, text in zip(vectors, texts, strict=True):
        assert vector_faults(vector, text) == []


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/compatible-mode/v1/embeddings"])
def test_openai_and_infinity(registry: Server, path: str) -> None:
    """As floats and as base64, with the tokens that the remote service counted."""
    answer = ask(registry, path, {"model": "far", "input": TEXTS})
    check([row["embedding"] for row in answer["data"]])
    assert answer["usage"]["total_tokens"] == sum(map(tokens, TEXTS))
    if not path.startswith("/compatible"):
        answer = ask(registry, path, {"model": "far", "input": TEXTS, "encoding_format": "base64"})
        check([decode(row["embedding"]) for row in answer["data"]])


@pytest.mark.parametrize(("workspace", "name"), [("default", "far"), (INSTANCE, "near")])
def test_platform(registry: Server, workspace: str, name: str) -> None:
    """By its service id in the workspace of the instance's name."""
    path = PLATFORM.format(workspace, "text-embedding", name)
    answer = ask(registry, path, {"input": TEXTS, "input_type": "query"})
    check([row["embedding"] for row in answer["result"]["embeddings"]])


def test_cohere(registry: Server) -> None:
    """Version 2 and version 1."""
    body = {"model": "far", "texts": TEXTS, "input_type": "search_document"}
    check(ask(registry, "/v2/embed", body | {"embedding_types": ["float"]})["embeddings"]["float"])
    check(ask(registry, "/v1/embed", body)["embeddings"])


def test_jina(registry: Server) -> None:
    """With Jina's own fields."""
    body = {"model": "far", "input": [{"text": text} for text in TEXTS], "task": "retrieval.query", "normalized": True}
    check([row["embedding"] for row in ask(registry, "/v1/embeddings", body)["data"]])


def test_text_embeddings_inference(registry: Server) -> None:
    """A bare list."""
    check(ask(registry, "/embed", {"inputs": TEXTS, "model": "far"}))


@pytest.mark.parametrize(
    ("path", "body", "rows"),
    [
        ("/v1/rerank", RANK, "results"),
        ("/v2/rerank", RANK, "results"),
        ("/rerank", {"query": RANK["query"], "texts": RANK["documents"]}, None),
        (PLATFORM.format("default", "ranker", "far"), {"query": RANK["query"], "docs": RANK["documents"]}, None),
    ],
)
def test_ranking(registry: Server, path: str, body: Any, rows: str | None) -> None:
    """By the cosine of its vectors, and the reply says so."""
    answer = post(registry, path, body | {"model": "far"}, key=KEY)
    assert answer.status == 200, answer.body
    assert answer.headers["x-embedway-ranker"] == "embedder-cosine"
    found = answer.json() if rows is None else answer.json()[rows]
    found = found["result"]["scores"] if isinstance(found, dict) else found
    assert [row["index"] for row in found] == [1, 0]


def test_what_it_does_not_do(registry: Server) -> None:
    """Tokens and images are the remote service's: a caller is told so in the dialect."""
    for path, body in (
        ("/tokenize", {"inputs": "hi", "model": "far"}),
        ("/embed_all", {"inputs": "hi", "model": "far"}),
        ("/embed_sparse", {"inputs": "hi", "model": "far"}),
        ("/v1/embeddings", {"model": "far", "input": TEXTS, "dimensions": 16}),
    ):
        answer = post(registry, path, body, key=KEY)
        assert 400 <= answer.status < 500, (path, answer.body)


def test_another_namespace_does_not_see_it(registry: Server) -> None:
    """Neither by asking, nor in a list; and an instance's model is no one's beside it."""
    for workspace, name in ((INSTANCE, "far"), ("default", "near"), ("other", "far")):
        answer = post(registry, PLATFORM.format(workspace, "text-embedding", name), {"input": "hi"}, key=KEY)
        assert (answer.status, answer.json()["code"]) == (400, "ServiceIdNotExist")
    assert post(registry, "/v1/embeddings", {"model": "near", "input": "hi"}, key=KEY).status == 404
    names = [row["id"] for row in get(registry, "/v1/models", key=KEY).json()["data"]]
    assert "far" in names
    assert "near" not in names
    local = PLATFORM.format(INSTANCE, "text-embedding", "local")
    assert len(ask(registry, local, {"input": "hi"})["result"]["embeddings"][0]["embedding"]) == 8


def test_what_everyone_may_see(registry: Server) -> None:
    """/ready names no registered model; the metrics name it with its namespace, and no URL."""
    assert "far" not in get(registry, "/ready").body.decode()
    metrics = get(registry, "/metrics").body.decode()
    assert 'model="default/far"' in metrics
    assert "embedway_store_up 1.0" in metrics
    assert "http" not in metrics.replace("embedway_http", "")


def test_when_the_remote_refuses(registry: Server) -> None:
    """A caller hears of it as of any other failure of the server, in the dialect."""
    answer = post(registry, PLATFORM.format(INSTANCE, "text-embedding", "test"), {"input": "hi"}, key=KEY)
    assert answer.status == 502
    assert answer.json()["code"] == "InternalServerError"
    assert call(registry, "GET", "/test", instance=INSTANCE).json()["result"]["status"] == "error"
    assert ADMIN not in registry.output()
