"""The OpenAI route: what it refuses. Every refusal is `{"error": {message, type, param, code}}`."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import openai_refusal
from .exchange import announce, get, post, send

PATH = "/v1/embeddings"


def test_unknown_model(plain: Server) -> None:
    """An unknown model is 404 `model_not_found`, and the message names it."""
    refusal = openai_refusal(post(plain, PATH, {"model": "no-such-model", "input": "a"}), 404)
    assert refusal.code == "model_not_found"
    assert "no-such-model" in refusal.message


@pytest.mark.parametrize(
    "field",
    [
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a"] * 2049},
        {"input": None},
        {"input": 5},
        {"input": {"words": "a"}},
        {"input": ["a", 1]},
        {"input": ["a", None]},
        {"input": [["a"]]},
        {"model": 5},
        {"encoding_format": "int8"},
        {"encoding_format": 1},
        {"dimensions": -1},
        {"dimensions": "many"},
        {"dimensions": 1.5},
    ],
    ids=lambda field: json.dumps(field)[:40],
)
def test_bad_field(plain: Server, field: dict[str, Any]) -> None:
    """A value of the wrong type or outside its limits is 400, and `param` names the field."""
    refusal = openai_refusal(post(plain, PATH, {"model": MODEL, "input": "a", **field}), 400)
    assert refusal.param is not None
    assert next(iter(field)) in refusal.param


def test_missing_input(plain: Server) -> None:
    """A request without `input` is 400."""
    assert "input" in openai_refusal(post(plain, PATH, {"model": MODEL}), 400).message


@pytest.mark.parametrize("dimensions", [1, 128, 383, 385, 100_000])
def test_dimensions_of_a_model_not_trained_for_them(plain: Server, dimensions: int) -> None:
    """Other dimensions than the bundled model's own are 400, and the message says which are allowed."""
    refusal = openai_refusal(post(plain, PATH, {"model": MODEL, "input": "a", "dimensions": dimensions}), 400)
    assert "384" in refusal.message
    assert refusal.param == "dimensions"


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_remedy(plain: Server, tokens: list[Any]) -> None:
    """Token ids of another tokenizer would mean nothing: 400, and the message names the client's switch."""
    refusal = openai_refusal(post(plain, PATH, {"model": MODEL, "input": tokens}), 400)
    assert "check_embedding_ctx_length=False" in refusal.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model": "m", "input": "a"',
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b'{"input": NaN}',
        b'{"input": "\xff\xfe"}',
        b"[" * 20_000,
        b'{"input":' * 5_000,
    ],
    ids=lambda body: ascii(body[:24]),
)
def test_broken_body(plain: Server, body: bytes) -> None:
    """What is no JSON object is 400, however it is broken."""
    openai_refusal(send(plain, "POST", PATH, body), 400)


@pytest.mark.parametrize("text", ["\\ud800", "a\\u0000b", "\\u200b\\u200b", "   ", "\\n"])
def test_odd_text_never_fails_the_server(plain: Server, text: str) -> None:
    """Lone surrogates, zero characters and blank texts are served or refused, never an internal error."""
    body = f'{{"model": "{MODEL}", "input": "{text}"}}'.encode()
    answer = send(plain, "POST", PATH, body)
    if answer.status != 200:
        openai_refusal(answer, 400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_method(plain: Server, method: str) -> None:
    """Another method is 405, and `Allow` names the right one."""
    answer = send(plain, method, PATH)
    openai_refusal(answer, 405)
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/embeddings/more", "/v1"])
def test_unknown_route(plain: Server, path: str) -> None:
    """A path that is not there is 404, in the same form."""
    openai_refusal(get(plain, path), 404)


def test_oversize_body_is_refused_before_it_is_sent(plain: Server) -> None:
    """A body announced as a gigabyte is 413 at once."""
    openai_refusal(announce(plain, PATH, 1_000_000_000), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_other_content_type(plain: Server, kind: str) -> None:
    """A body that is declared to be something else is 415: else the form of a foreign page could reach the server."""
    body = {"model": MODEL, "input": "a"}
    openai_refusal(post(plain, PATH, body, headers={"Content-Type": kind}), 415)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_compressed_body(plain: Server, encoding: str) -> None:
    """A compressed body is 415: it could unfold to any size."""
    body = gzip.compress(json.dumps({"model": MODEL, "input": "a"}).encode())
    openai_refusal(send(plain, "POST", PATH, body, headers={"Content-Encoding": encoding}), 415)
