"""What is hardly HTTP: the server says 4xx or hangs up, and keeps answering everybody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server

from .running import answers, embed, listens, running, until

BODY = json.dumps({"model": "fake", "input": "a"}).encode()
HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /v1/embeddings HTTP/1.1\r\n" + HOST
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
GARBAGE = {
    "nothing": b"",
    "zeros": bytes(1000),
    "every-byte": bytes(range(256)) * 20,
    "tls-hello": bytes.fromhex("16030100dc010000d80303") + bytes(200),
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no-version": b"GET /health\r\n\r\n",
    "wrong-version": b"GET /health HTTP/9.9\r\n" + HOST + b"\r\n",
    "unknown-method": b"FETCH /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute-form": b"GET http://embed.example/v1/models HTTP/1.1\r\nHost: embed.example\r\n\r\n",
    "raw-bytes-in-the-path": b"GET /v1/models/\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "space-in-the-path": b"GET /v1/models/a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul-in-a-header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "newline-in-a-name": b"GET /health HTTP/1.1\r\n" + HOST + b"X\nY: a\r\n\r\n",
    "folded-header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "no-host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "two-hosts": b"GET /v1/models HTTP/1.1\r\n" + HOST + b"Host: embed.example\r\n\r\n",
    "two-lengths": POST + LENGTH + b"Content-Length: 1\r\n\r\n" + BODY,
    "length-and-chunks": POST + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative-length": POST + b"Content-Length: -1\r\n\r\n",
    "endless-length": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "words-for-a-length": POST + b"Content-Length: much\r\n\r\n",
    "wrong-chunk-size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "endless-chunk-size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
    "unknown-coding": POST + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
    "websocket": b"GET /v1/embeddings HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    + b"Sec-WebSocket-Version: 13\r\n\r\n",
    "h2c-upgrade": POST + LENGTH + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=list(GARBAGE))
def test_garbage(fake: Server, garbage: bytes) -> None:
    """Garbage is answered below 500, or with silence when the client hangs up; the next caller is served."""
    with fake.open_socket(5) as sock:
        sock.sendall(garbage)
        sock.shutdown(1)
        statuses = [int(line.split()[1]) for line in replies(sock.makefile("rb"))]
    assert all(200 <= status < 500 for status in statuses), statuses
    assert answers(embed(fake, "next"), "next")
    assert "Traceback" not in fake.output() or "told to fail" in fake.output()


def replies(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the status lines of what comes."""
    try:
        yield from (line for line in stream if line.startswith(b"HTTP/1.1 "))
    except ConnectionError:
        return


def test_pipelined_requests(fake: Server) -> None:
    """Thirty requests sent in one go are answered in their order."""
    one = b"POST /v1/embeddings HTTP/1.1\r\n" + HOST + b"X-Request-Id: %d\r\nContent-Length: %d\r\n\r\n%s"
    requests = [one % (number, len(BODY), BODY) for number in range(30)]
    with fake.open_socket(10) as sock:
        sock.sendall(b"".join(requests))
        received = b""
        while received.count(b'"total_tokens"') < 30:
            part = sock.recv(100_000)
            assert part, received[-500:]
            received += part
    ids = [int(part.split(b"\r\n")[0]) for part in received.split(b"x-request-id: ")[1:]]
    assert ids == list(range(30))
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 30


def test_pipelined_behind_a_broken_one(fake: Server) -> None:
    """A good request behind one with a broken body gets its own answer."""
    with fake.open_socket(5) as sock:
        sock.sendall(POST + b"Content-Length: 1\r\n\r\n{" + POST + LENGTH + b"\r\n" + BODY)
        received = b""
        while b'"total_tokens"' not in received:
            part = sock.recv(100_000)
            assert part, received
            received += part
    assert received.index(b"HTTP/1.1 400 ") < received.index(b"HTTP/1.1 200 ")


def test_garbage_behind_a_good_request(fake: Server) -> None:
    """A request that is being computed gets its own answer, whatever comes behind it; then the connection ends."""
    body = json.dumps({"model": "fake", "input": "!sleep:0.2"}).encode()
    with fake.open_socket(5) as sock:
        sock.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body + GARBAGE["every-byte"])
        received = b"".join(iter(lambda: sock.recv(100_000), b""))
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.count(b"HTTP/1.1 ") == 1
    assert b'"total_tokens"' in received


FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"


def test_more_connections_than_files(tmp_path: Path) -> None:
    """A hundred idle connections to a server that may open 64 files: once they are gone, it answers as before."""
    with running(tmp_path, first=FEW) as server:
        idle = [server.open_socket(5) for _ in range(100)]
        for sock in idle:
            sock.close()
        until(lambda: listens(server) and server.ready(), 10, "the server answers again")
        assert answers(embed(server, "a"), "a")
        assert "Traceback" not in server.output()


def test_a_huge_head(fake: Server) -> None:
    """A head of many megabytes is refused before it is held in memory."""
    with fake.open_socket(5) as sock:
        try:
            sock.sendall(b"GET /health HTTP/1.1\r\n" + HOST)
            for _ in range(64):
                sock.sendall(b"X-Large: " + b"a" * 65_000 + b"\r\n")
            sock.sendall(b"\r\n")
            received = sock.recv(1000)
        except ConnectionError:
            received = b""
    assert not received or received.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), received[:100]
    assert answers(embed(fake, "next"), "next")
