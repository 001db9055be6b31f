"""AI Search text embedding: `POST /v3/openapi/workspaces/{ws}/text-embedding/{service_id}`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .exchange import KEY, post, send
from .golden import tokens, vector_faults

PATH = f"/v3/openapi/workspaces/default/text-embedding/{MODEL}"
TEXT = "opensearch product documentation"


def test_envelope(plain: Server) -> None:
    """The answer is request_id, latency, usage, result, in that order; `index` comes before `embedding`."""
    answer = post(plain, PATH, {"input": [TEXT, "hi"]})
    body = answer.json()
    assert list(body) == ["request_id", "latency", "usage", "result"]
    assert list(body["usage"]) == ["token_count"]
    assert list(body["result"]) == ["embeddings"]
    assert [list(row) for row in body["result"]["embeddings"]] == [["index", "embedding"]] * 2
    assert type(body["usage"]["token_count"]) is int
    assert type(body["latency"]) in (int, float)
    assert body["latency"] >= 0


def test_request_id(plain: Server) -> None:
    """`x-acs-request-id` equals `request_id`, it looks like the vendor's, and no two are equal."""
    answers = [post(plain, PATH, {"input": "hi"}) for _ in range(2)]
    ids = [answer.json()["request_id"] for answer in answers]
    assert [answer.headers["x-acs-request-id"] for answer in answers] == ids
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}", one) for one in ids)


@pytest.mark.parametrize("value", [TEXT, [TEXT]])
def test_string_and_array(plain: Server, value: Any) -> None:
    """A bare string is a list of one, as LlamaIndex sends it."""
    body = post(plain, PATH, {"input": value}).json()
    assert [row["index"] for row in body["result"]["embeddings"]] == [0]
    assert vector_faults(body["result"]["embeddings"][0]["embedding"], TEXT) == []
    assert body["usage"]["token_count"] == tokens(TEXT)


def test_32_texts(plain: Server) -> None:
    """32 texts are within the limit, and come back in order."""
    texts = ["a", "b"] * 16
    body = post(plain, PATH, {"input": texts}).json()
    assert [row["index"] for row in body["result"]["embeddings"]] == list(range(32))
    assert body["usage"]["token_count"] == 32 * 3
    for row, text in zip(body["result"]["embeddings"], texts, strict=True):
        assert vector_faults(row["embedding"], text) == []


@pytest.mark.parametrize(
    "more",
    [{}, {"input_type": "query"}, {"input_type": "document"}, {"input_type": None}, {"unknown": 1}],
    ids=str,
)
def test_input_type(plain: Server, more: dict[str, Any]) -> None:
    """query, document, null and nothing are accepted; for a model without prompts they change nothing."""
    body = post(plain, PATH, {"input": TEXT, **more}).json()
    assert vector_faults(body["result"]["embeddings"][0]["embedding"], TEXT) == []


def test_body_of_8_mb_is_read(plain: Server) -> None:
    """A body of 8,000,000 bytes is within the limit of 8 MB."""
    body = b'{"input": "hi"' + b" " * (8_000_000 - 15) + b"}"
    assert send(plain, "POST", PATH, body).status == 200


@pytest.mark.parametrize("path", [PATH + "/", PATH.replace("default", "my%20workspace"), PATH + "?a=b"])
def test_forms_of_the_path(plain: Server, path: str) -> None:
    """A trailing slash, a workspace with a space and a query string are answered directly."""
    assert post(plain, path, {"input": "hi"}).status == 200


@pytest.mark.parametrize("service", ["m", "acme/minilm", "acme%2Fminilm"])
def test_service_is_a_name_or_alias(keyed: Server, service: str) -> None:
    """A service id is any configured name or alias; a slash in it arrives as it is (the SDK) or as %2F."""
    path = f"/v3/openapi/workspaces/default/text-embedding/{service}"
    assert post(keyed, path, {"input": "hi"}, key=KEY).status == 200
