"""SIGTERM: what is in flight is answered, what is new is refused, and the process ends in time."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server import Connection
from tests.wire.errors import openai_refusal

from .running import answers, embed, listens, pending, running, until


def test_requests_in_flight_are_answered(tmp_path: Path) -> None:
    """Both the call in the pass and the calls that wait get their vectors; nobody else is let in meanwhile."""
    with running(tmp_path) as server, ThreadPoolExecutor(4) as pool:
        calls = {"!sleep:1": pool.submit(embed, server, "!sleep:1")}
        until(lambda: pending(server) == 1, 5, "the pass runs")
        calls |= {text: pool.submit(embed, server, text) for text in ("a", "b", "c")}
        until(lambda: pending(server) == 4, 5, "the calls are in flight")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not listens(server), 0.9, "new callers are refused")
        assert server.process.poll() is None
        for text, call in calls.items():
            answer = call.result(10)
            assert answers(answer, text)
            assert answer.headers["connection"] == "close"
        assert server.stop() in (0, -signal.SIGTERM)


def test_idle_connections_do_not_hold_it_up(tmp_path: Path) -> None:
    """A client that keeps its connection open, and one that has sent half a request, do not delay the end."""
    with running(tmp_path) as server:
        kept = Connection(server)
        kept.request("GET", "/health")
        assert kept.getresponse().read()
        with server.open_socket(5) as half:
            half.sendall(b"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            started_s = time.monotonic()
            assert server.stop() in (0, -signal.SIGTERM)
            assert time.monotonic() - started_s < 3
        kept.close()


def test_the_drain_has_a_limit(tmp_path: Path) -> None:
    """Whoever is not served within --drain-timeout-s gets 503 in the dialect's words, and the process ends."""
    with running(tmp_path, "--drain-timeout-s", "1") as server, ThreadPoolExecutor(1) as pool:
        call = pool.submit(embed, server, "!sleep:8")
        until(lambda: pending(server) == 1, 5, "the call is in flight")
        started_s = time.monotonic()
        server.stop()
        assert time.monotonic() - started_s < 5
        openai_refusal(call.result(1), 503)
        assert "Traceback" not in server.output()


def test_a_caller_who_does_not_read(tmp_path: Path) -> None:
    """A caller who never reads its answers delays the end by no more than the limit."""
    body = json.dumps({"model": "fake", "input": ["a"] * 2048}).encode()
    request = b"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with running(tmp_path, "--drain-timeout-s", "1") as server, server.open_socket(5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(TimeoutError):  # its own sending stalls too, in the end
            sock.settimeout(1)
            sock.sendall(request * 100)
        started_s = time.monotonic()
        server.stop()
        assert time.monotonic() - started_s < 5
        assert "Traceback" not in server.output()
