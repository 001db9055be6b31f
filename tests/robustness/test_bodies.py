"""Bodies that are slow, too large, cut short or packed, on every way they can be announced."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.server import Connection, Server
from tests.wire.errors import openai_refusal, vendor_refusal
from tests.wire.exchange import Answer, announce, post, send_bytes

from .running import OPENSEARCH, answers, embed, metric, running, until

OPENAI = "/v1/embeddings"
LIMIT = 100_000
GOOD = json.dumps({"model": "fake", "input": ["good"]}).encode()


def head(path: str, *lines: str) -> bytes:
    """Return the head of a POST with these lines added."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def chunk(part: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(part), part)


def refusal_of(path: str, answer: Answer, status: int) -> str | None:
    """Check the answer in the words of the route and return the code."""
    return (openai_refusal if path == OPENAI else vendor_refusal)(answer, status).code


def drip(server: Server, start: bytes, drop: bytes, within_s: float) -> tuple[bytes, float]:
    """Send `start`, then `drop` again and again, until the server answers and hangs up; return the answer and the
    seconds until it began. A drop that crosses the farewell resets the connection, answer and all: then once more."""
    for _ in range(5):
        with contextlib.suppress(ConnectionError):
            return _drip(server, start, drop, within_s)
    raise AssertionError("the connection was reset five times before the answer was read")


def _drip(server: Server, start: bytes, drop: bytes, within_s: float) -> tuple[bytes, float]:
    with server.open_socket(0.1) as sock:
        sock.sendall(start)
        started_s = time.monotonic()
        while time.monotonic() - started_s < within_s:
            try:
                answer = sock.recv(10_000)
            except TimeoutError:
                sock.sendall(drop)
                continue
            took_s = time.monotonic() - started_s
            return answer + b"".join(iter(lambda: sock.recv(10_000), b"")), took_s
    raise AssertionError(f"no answer within {within_s:g} s")


@pytest.mark.parametrize("path", [OPENAI, OPENSEARCH])
@pytest.mark.parametrize(
    ("announced", "drop"), [("Content-Length: 90000", b" "), ("Transfer-Encoding: chunked", chunk(b" "))]
)
def test_a_body_that_trickles_in(fake: Server, path: str, announced: str, drop: bytes) -> None:
    """A body that has not arrived within --body-timeout-s is 408, however busily it trickles, and the connection
    ends: what trickles on would hold it for ever."""
    answer, took_s = drip(fake, head(path, announced), drop, 3)
    assert 0.4 < took_s < 1.5
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b"did not arrive within 0.5 s" in answer
    assert (b'"code":"RequestTimeout"' in answer) == (path == OPENSEARCH)
    assert answers(embed(fake, "next"), "next")


HASTE = "import embedway.http.protocol as protocol; protocol.HEAD_TIMEOUT_S = 1"


@pytest.mark.parametrize("start", [b"", b"POST ", b"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_a_head_that_trickles_in(hasty: Server, start: bytes) -> None:
    """A connection on which no whole head arrives in time is closed, however busily it trickles."""
    answer, took_s = drip(hasty, start, b"a" if start else b"", 3)
    assert 0.9 < took_s < 2
    assert not answer or answer.startswith(b"HTTP/1.1 408 ")
    assert answers(embed(hasty, "next"), "next")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second for a head, instead of twenty."""
    with running(tmp_path_factory.mktemp("hasty"), "--body-timeout-s", "4", first=HASTE) as server:
        yield server


@pytest.mark.parametrize("broken", [b"zz\r\n", b"2\r\n{}xx", b"f" * 40 + b"\r\n"])
def test_a_body_in_broken_chunks(hasty: Server, broken: bytes) -> None:
    """Chunks that are none are 400 at once: nobody waits for the rest of what cannot be read."""
    started_s = time.monotonic()
    assert send_bytes(hasty, head(OPENAI, "Transfer-Encoding: chunked") + broken).status == 400
    assert time.monotonic() - started_s < 2


def test_a_head_of_a_kept_connection(hasty: Server) -> None:
    """The time for a head starts anew with each request: a connection that is used longer than that stays open."""
    connection = Connection(hasty, 5)
    connection.connect()
    port = connection.sock.getsockname()
    for _ in range(4):
        connection.request("POST", OPENAI, GOOD)
        assert b"embedding" in connection.getresponse().read()
        time.sleep(0.4)
    assert connection.sock.getsockname() == port
    connection.close()


def test_a_pass_longer_than_the_time_for_a_head(hasty: Server) -> None:
    """The time for a head does not run while an answer is computed, whatever the client sends behind it."""
    body = json.dumps({"model": "fake", "input": "!sleep:1.5"}).encode()
    with hasty.open_socket(5) as sock:
        sock.sendall(head(OPENAI, f"Content-Length: {len(body)}") + body + b"GET /hea")
        assert sock.recv(10_000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", [OPENAI, OPENSEARCH])
def test_an_oversize_body_announced(fake: Server, path: str) -> None:
    """A body that is announced as too large is refused before a byte of it is sent, and the connection ends."""
    answer = announce(fake, path, LIMIT + 1)
    refusal_of(path, answer, 413 if path == OPENAI else 400)
    assert str(LIMIT) in answer.body.decode()
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("path", [OPENAI, OPENSEARCH])
def test_an_oversize_body_in_chunks(fake: Server, path: str) -> None:
    """A body that never says how long it is, is refused as soon as it passes the limit."""
    body = chunk(b" " * (LIMIT // 2)) * 2 + chunk(b"  ")
    refusal_of(path, send_bytes(fake, head(path, "Transfer-Encoding: chunked") + body), 413 if path == OPENAI else 400)
    assert answers(embed(fake, "next"), "next")


def test_a_body_of_just_the_limit(fake: Server) -> None:
    """The limit itself is allowed, announced and in chunks."""
    body = GOOD + b" " * (LIMIT - len(GOOD))
    assert answers(post(fake, OPENAI, body), "good")
    request = head(OPENAI, "Transfer-Encoding: chunked") + chunk(body[:70_000]) + chunk(body[70_000:]) + chunk(b"")
    assert answers(send_bytes(fake, request), "good")


def test_expect_continue(fake: Server) -> None:
    """A client that asks first is told to go on, or, when its body is too large, refused without having to send it."""
    ask = "Expect: 100-continue"
    with fake.open_socket(5) as sock:
        sock.sendall(head(OPENAI, ask, f"Content-Length: {len(GOOD)}"))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(GOOD)
        assert sock.recv(10_000).startswith(b"HTTP/1.1 200 ")
    assert send_bytes(fake, head(OPENAI, ask, f"Content-Length: {LIMIT + 1}")).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip", "deflate"])
def test_a_compressed_body(fake: Server, encoding: str) -> None:
    """Compressed bodies are refused unread, in each dialect's words: no bomb is unpacked."""
    for path, status in ((OPENAI, 415), (OPENSEARCH, 400)):
        refusal_of(path, post(fake, path, b"\x1f\x8b", headers={"Content-Encoding": encoding}), status)


@pytest.mark.parametrize("announced", ["Content-Length: 500", "Transfer-Encoding: chunked"])
def test_half_a_body(fake: Server, announced: str) -> None:
    """Callers who send half a body and hang up, rudely or not, leave nothing behind."""
    for rude in (True, False):
        answered = metric(fake, "embedway_request_seconds_count", operation="createEmbedding")
        with fake.open_socket(5) as sock:
            sock.sendall(head(OPENAI, announced) + (chunk(GOOD[:9]) if "chunked" in announced else GOOD[:9]))
            if rude:  # with a reset instead of the usual farewell
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        until(
            lambda count=answered: metric(fake, "embedway_request_seconds_count", operation="createEmbedding") > count,
            0.4,
            "the call is given up before its body's time limit",
        )
    assert answers(embed(fake, "next"), "next")
