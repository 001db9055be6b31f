"""The OpenAI route: what it accepts, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .exchange import get, post, send
from .golden import DIMENSIONS, decode, tokens, vector_faults

TEXT = "I believe the meaning of life is"
PATHS = ["/v1/embeddings", "/embeddings"]


@pytest.mark.parametrize("path", PATHS)
def test_path_with_and_without_prefix(plain: Server, path: str) -> None:
    """The route stands at `/v1/embeddings` and at `/embeddings`."""
    answer = post(plain, path, {"model": MODEL, "input": TEXT})
    assert answer.status == 200
    assert vector_faults(answer.json()["data"][0]["embedding"], TEXT) == []


@pytest.mark.parametrize("form", [{}, {"encoding_format": None}, {"encoding_format": "float"}])
def test_floats_by_default(plain: Server, form: dict[str, Any]) -> None:
    """Without an encoding_format, with null and with float, vectors are lists of floats."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": TEXT, **form})
    assert vector_faults(answer.json()["data"][0]["embedding"], TEXT) == []


def test_base64_holds_the_same_numbers(plain: Server) -> None:
    """Base64 is the little-endian float32 of the very numbers that the float form shows."""
    request = {"model": MODEL, "input": TEXT}
    floats = post(plain, "/v1/embeddings", request).json()["data"][0]["embedding"]
    encoded = post(plain, "/v1/embeddings", request | {"encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert decode(encoded) == pytest.approx(floats, abs=1e-6)


@pytest.mark.parametrize("dimensions", [{}, {"dimensions": 0}, {"dimensions": None}, {"dimensions": DIMENSIONS}])
def test_native_dimensions(plain: Server, dimensions: dict[str, Any]) -> None:
    """Dimensions absent, null, 0 or equal to the model's own give the whole vector."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": TEXT, **dimensions})
    assert vector_faults(answer.json()["data"][0]["embedding"], TEXT) == []


def test_list_keeps_its_order(plain: Server) -> None:
    """Vectors come in the order of the texts, numbered from 0, equal texts included."""
    texts = ["hi", "b", "opensearch product documentation", "hi", "a"]
    data = post(plain, "/v1/embeddings", {"model": MODEL, "input": texts}).json()["data"]
    assert [row["index"] for row in data] == [0, 1, 2, 3, 4]
    for row, text in zip(data, texts, strict=True):
        assert vector_faults(row["embedding"], text) == []


def test_usage_counts_tokens_consumed(plain: Server) -> None:
    """Usage is the sum over the texts, special tokens included."""
    texts = [TEXT, "科学技术是第一生产力", "hello"]
    usage = post(plain, "/v1/embeddings", {"model": MODEL, "input": texts}).json()["usage"]
    expected = sum(tokens(text) for text in texts)
    assert usage == {"prompt_tokens": expected, "total_tokens": expected}


def test_long_text_is_cut_at_the_models_limit(plain: Server) -> None:
    """A text far longer than the model reads is served and counts 256 tokens: the recipe's limit, not the file's."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": "word " * 50_000})
    assert answer.status == 200
    assert answer.json()["usage"]["total_tokens"] == 256


def test_cut_texts_are_counted(plain: Server) -> None:
    """A header says how many texts were cut; where none was, there is no such header."""
    texts = ["word " * 300, "hi", "word " * 1000]
    assert post(plain, "/v1/embeddings", {"model": MODEL, "input": texts}).headers["x-embedway-truncated"] == "2"
    assert "x-embedway-truncated" not in post(plain, "/v1/embeddings", {"model": MODEL, "input": "hi"}).headers


def test_unknown_fields_are_ignored(plain: Server) -> None:
    """A client's own fields (`user`, infinity's `modality`, the vendor's `input_type`) do no harm."""
    request = {"model": MODEL, "input": TEXT, "user": "u-1", "modality": "text", "input_type": "query", "x": [1]}
    assert post(plain, "/v1/embeddings", request).status == 200


def test_alias_is_answered_under_its_own_name(keyed: Server) -> None:
    """A request for an alias is served, and `model` in the answer is the name that was asked for."""
    answer = post(keyed, "/v1/embeddings", {"model": "text-embedding-3-large", "input": "hi"}, key="OS-testkey")
    assert answer.status == 200
    assert answer.json()["model"] == "text-embedding-3-large"


def test_2048_inputs_are_served(plain: Server) -> None:
    """2,048 texts in one request are within the limit."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": ["a"] * 2048, "encoding_format": "base64"})
    assert answer.status == 200
    assert [row["index"] for row in answer.json()["data"]] == list(range(2048))


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type(plain: Server, kind: str) -> None:
    """JSON is JSON in any case, and with a charset."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": TEXT}, headers={"Content-Type": kind})
    assert answer.status == 200


def test_trailing_slash_is_no_redirect(plain: Server) -> None:
    """A trailing slash is the same route, without a redirect that would lose the body."""
    assert post(plain, "/v1/embeddings/", {"model": MODEL, "input": TEXT}).status == 200
    assert get(plain, "/v1/models/").status == 200


def test_connection_is_kept(plain: Server) -> None:
    """A refused request does not cost the client its connection."""
    answer = send(plain, "POST", "/v1/embeddings", b"{", headers={"Connection": "keep-alive"})
    assert answer.status == 400
    assert answer.headers.get("connection", "keep-alive") != "close"
