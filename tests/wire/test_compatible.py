"""The vendor's OpenAI-compatible mode: OpenAI's request and answer, the vendor's limits and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import vendor_refusal
from .exchange import KEY, announce, post, send
from .golden import decode, vector_faults

PATHS = ["/compatible-mode/v1/embeddings", "/compatible-mode/v1/chat/embeddings"]
everywhere = pytest.mark.parametrize("path", PATHS)


@everywhere
def test_answer(plain: Server, path: str) -> None:
    """Both paths answer id, object, data, model, usage; a row is object, embedding, index."""
    body = post(plain, path, {"model": MODEL, "input": ["hi", "a"]}).json()
    assert list(body) == ["id", "object", "data", "model", "usage"]
    assert [list(row) for row in body["data"]] == [["object", "embedding", "index"]] * 2
    assert body["id"]
    assert body["object"] == "list"
    assert body["model"] == MODEL
    assert body["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
    assert vector_faults(body["data"][0]["embedding"], "hi") == []


@everywhere
def test_base64(plain: Server, path: str) -> None:
    """The real client sends `encoding_format: base64` here too, and gets it."""
    body = post(plain, path, {"model": MODEL, "input": "hi", "encoding_format": "base64"}).json()
    assert vector_faults(decode(body["data"][0]["embedding"]), "hi") == []


@everywhere
@pytest.mark.parametrize(
    "field",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a"] * 33},
        {"input": None},
        {"input": [1, 2]},
        {"model": 1},
        {"encoding_format": "int8"},
    ],
    ids=lambda field: json.dumps(field)[:40],
)
def test_bad_field(plain: Server, path: str, field: dict[str, Any]) -> None:
    """32 texts at most, none empty, right types: else 400 `InvalidParameter` in the vendor's flat form."""
    answer = post(plain, path, {"model": MODEL, "input": "a", **field})
    assert vendor_refusal(answer, 400).code == "InvalidParameter"


@everywhere
def test_32_texts(plain: Server, path: str) -> None:
    """32 texts are within the limit."""
    body = post(plain, path, {"model": MODEL, "input": ["a"] * 32}).json()
    assert [row["index"] for row in body["data"]] == list(range(32))


@everywhere
def test_model_is_required(plain: Server, path: str) -> None:
    """The document requires `model`."""
    assert vendor_refusal(post(plain, path, {"input": "a"}), 400).code == "InvalidParameter"


@everywhere
@pytest.mark.parametrize("model", ["no-such-service", "ops-text-embedding-001"])
def test_unknown_service(plain: Server, path: str, model: str) -> None:
    """A model that is not served is 400 `ServiceIdNotExist`."""
    assert vendor_refusal(post(plain, path, {"model": model, "input": "a"}), 400).code == "ServiceIdNotExist"


@everywhere
def test_broken_body(plain: Server, path: str) -> None:
    """Broken JSON is 400 `InvalidParameter`, worded as the vendor's."""
    refusal = vendor_refusal(send(plain, "POST", path, b"{"), 400)
    assert refusal.code == "InvalidParameter"
    assert refusal.message.startswith("JSON parse error:")


@everywhere
def test_no_key(keyed: Server, path: str) -> None:
    """Without a key: 401 `InvalidApiKey`; with it: 200."""
    assert vendor_refusal(post(keyed, path, {"model": MODEL, "input": "a"}), 401).code == "InvalidApiKey"
    assert post(keyed, path, {"model": MODEL, "input": "a"}, key=KEY).status == 200


@everywhere
def test_wrong_method_and_size(plain: Server, path: str) -> None:
    """405, and the size limit, in the vendor's form."""
    vendor_refusal(send(plain, "GET", path), 405)
    vendor_refusal(announce(plain, path, 1_000_000_000), (400, 413))


def test_unknown_route(plain: Server) -> None:
    """Other paths of the mode are refused in the vendor's form."""
    vendor_refusal(post(plain, "/compatible-mode/v1/nothing", {}), 404)
