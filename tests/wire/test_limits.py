"""A server with small limits: what is refused before any work, and how the refusal tells a client to come back."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest

from tests.server import Server, serving

from .configs import MODEL
from .errors import cohere_refusal, infinity_refusal, openai_refusal, tei_refusal, vendor_refusal
from .exchange import announce, get, post, send_bytes

LONG = "word " * 250
INPUT = {"input": "hi"}
OPENSEARCH = f"/v3/openapi/workspaces/default/text-embedding/{MODEL}"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that queues 300 tokens, reads 200,000 bytes, waits one second for a body and cuts no text."""
    flags = ["--max-queue-tokens", "300", "--max-body-bytes", "200000"]
    flags += ["--body-timeout-s", "1", "--truncation", "error"]
    with serving(tmp_path_factory.mktemp("strict"), *flags) as server:
        yield server


@contextlib.contextmanager
def busy(server: Server) -> Iterator[None]:
    """Keep the model at work for the length of a `with` block; then hang up, which drops what is left of the work."""
    body = json.dumps({"model": MODEL, "input": [LONG] * 120}).encode()
    lines = ["POST /v1/embeddings HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json"]
    with server.open_socket(30) as sock:
        sock.sendall("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        _wait_for_pending(server, at_work=True)
        yield
    _wait_for_pending(server, at_work=False)


def _wait_for_pending(server: Server, *, at_work: bool) -> None:
    until = time.monotonic() + 60
    while (get(server, "/v1/models").json()["data"][0]["stats"]["results_pending"] > 0) != at_work:
        assert time.monotonic() < until, "the queue did not change"
        time.sleep(0.005)


def test_within_the_limits(strict: Server) -> None:
    """What keeps within the limits is served."""
    assert post(strict, "/v1/embeddings", {"model": MODEL, "input": "hi"}).status == 200


def test_queue_is_full(strict: Server) -> None:
    """While the queue is full, a call is 429 with `Retry-After`, in each dialect's words; afterwards it is served."""
    with busy(strict):
        answers = [post(strict, "/v1/embeddings", {"model": MODEL, "input": "hi"}), post(strict, OPENSEARCH, INPUT)]
    openai_refusal(answers[0], 429)
    assert (vendor_refusal(answers[1], 429).code or "").split(".")[0] == "Throttling"
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers)
    assert post(strict, OPENSEARCH, INPUT).status == 200


def test_queue_is_full_for_rerank(strict: Server) -> None:
    """The same, in the words of each dialect that ranks."""
    body = {"query": "a", "documents": ["hi"]}
    with busy(strict):
        jina, cohere = (post(strict, path, body) for path in ("/v1/rerank", "/v2/rerank"))
        infinity = post(strict, "/rerank", {**body, "raw_scores": False})
        tei = post(strict, "/rerank", {"query": "a", "texts": ["hi"]})
    openai_refusal(jina, 429)
    cohere_refusal(cohere, 429)
    infinity_refusal(infinity, 429)
    assert tei_refusal(tei, 429).code == "Overloaded"
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in (jina, cohere, infinity, tei))
    assert post(strict, "/rerank", body).status == 200


def test_body_too_large_for_rerank(strict: Server) -> None:
    """413 in the words of the path's first dialect: nobody has read whose body it is."""
    body = {"query": "a", "texts": ["a" * 200_000]}
    openai_refusal(post(strict, "/rerank", body), 413)
    cohere_refusal(post(strict, "/v2/rerank", body), 413)
    tei_refusal(post(strict, "/predict", {"inputs": "a" * 200_000}), 413)


def test_document_too_long(strict: Server) -> None:
    """With --truncation error a text above the model's limit is refused, and named."""
    long = "word " * 270
    refusal = openai_refusal(post(strict, "/rerank", {"query": "a", "documents": ["a", long]}), 400)
    assert refusal.param == "documents[1]"
    assert "query" in cohere_refusal(post(strict, "/v2/rerank", {"query": long, "documents": ["a"]}), 400).message
    assert "texts[1]" in tei_refusal(post(strict, "/rerank", {"query": "a", "texts": ["a", long]}), 422).message
    score = {"text_1": ["a", "b"], "text_2": ["a", long]}
    assert openai_refusal(post(strict, "/score", score), 400).param == "text_2[1]"
    assert openai_refusal(post(strict, "/score", {"text_1": long, "text_2": "a"}), 400).param == "text_1"


def test_stats_show_a_busy_model(strict: Server) -> None:
    """While the model is at work, its row shows how full its queue is."""
    with busy(strict):
        stats = get(strict, "/v1/models").json()["data"][0]["stats"]
    assert stats["results_pending"] > 0
    assert stats["queue_fraction"] > 0


def test_callers_who_left_are_skipped(strict: Server) -> None:
    """A caller who hangs up frees the queue long before its texts would have been computed."""
    with busy(strict):
        start = time.monotonic()
    assert time.monotonic() - start < 20


def test_text_too_long(strict: Server) -> None:
    """With --truncation error a text above the model's limit is 400, and the message names the limit."""
    text = "word " * 270
    assert "256" in openai_refusal(post(strict, "/v1/embeddings", {"model": MODEL, "input": text}), 400).message
    assert vendor_refusal(post(strict, OPENSEARCH, {"input": text}), 400).code == "InvalidParameter"


def test_body_too_large(strict: Server) -> None:
    """A body above --max-body-bytes is 413."""
    openai_refusal(post(strict, "/v1/embeddings", {"model": MODEL, "input": "a" * 200_000}), 413)


def chunked(server: Server, *parts: bytes) -> bytes:
    """Return a request whose body comes in chunks of no announced length; the last part may be empty, which ends it."""
    lines = ["POST /v1/embeddings HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json"]
    head = "\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def test_body_in_chunks(strict: Server) -> None:
    """A body in chunks is put together."""
    body = json.dumps({"model": MODEL, **INPUT}).encode()
    assert send_bytes(strict, chunked(strict, body[:9], body[9:], b"")).status == 200


def test_body_in_chunks_too_large(strict: Server) -> None:
    """A body in chunks is refused as soon as it passes the limit, though it never said how long it is."""
    openai_refusal(send_bytes(strict, chunked(strict, b" " * 100_000, b" " * 100_001)), 413)


@pytest.mark.parametrize("path", ["/v1/embeddings", OPENSEARCH])
def test_body_that_never_comes(strict: Server, path: str) -> None:
    """A body that was announced and does not come is 408 after --body-timeout-s, not a connection held for ever."""
    start = time.monotonic()
    answer = announce(strict, path, 100)
    assert 0.5 < time.monotonic() - start < 20
    if path == OPENSEARCH:
        vendor_refusal(answer, 408)
    else:
        openai_refusal(answer, 408)
