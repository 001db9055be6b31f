"""The queue is bounded, holds nothing for callers who left, and keeps to the time limits that callers set."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server import Server
from tests.wire.errors import openai_refusal, vendor_refusal
from tests.wire.exchange import get, post

from .running import OPENSEARCH, answers, embed, metric, pending, running, until

LONG = "x" * 512


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that queues ten tokens and gives every request two seconds."""
    flags = ["--max-queue-tokens", "10", "--request-timeout-s", "2"]
    with running(tmp_path_factory.mktemp("narrow"), *flags) as server:
        yield server


@contextlib.contextmanager
def busy(server: Server, seconds: float) -> Iterator[None]:
    """Keep the model busy for these seconds; at the end of the block nothing is pending any more."""
    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(embed, server, f"!sleep:{seconds}")
        until(lambda: pending(server) == 1, 5, "the model is busy")
        yield
        assert answers(sleeping.result(30), f"!sleep:{seconds}")
    until(lambda: pending(server) == 0, 5, "the queue is empty")


def leave_a_call(server: Server, *texts: str) -> socket.socket:
    """Send a call and return its connection, on which nobody reads."""
    body = json.dumps({"model": "fake", "input": list(texts)}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    connected = server.open_socket(5)
    connected.sendall(head.encode() + body)
    return connected


def test_callers_who_left_are_skipped(fake: Server) -> None:
    """Twenty callers hang up while they wait: the queue empties at once, and their texts are never computed."""
    computed, left = metric(fake, "embedway_batch_items_sum"), metric(fake, "embedway_requests_total", status="499")
    with busy(fake, 1.2):
        callers = [leave_a_call(fake, f"{number} left", "!fail") for number in range(20)]
        until(lambda: pending(fake) == 41, 5, "all are waiting")
        for caller in callers:
            caller.close()
        until(lambda: pending(fake) == 1, 1, "they are forgotten while the model is still busy")
        stats = get(fake, "/v1/models").json()["data"][0]["stats"]
        assert stats["queue_fraction"] < 0.001
    assert metric(fake, "embedway_requests_total", status="499") == left + 20
    assert answers(embed(fake, "next"), "next")
    assert metric(fake, "embedway_batch_items_sum") == computed + 2
    assert metric(fake, "embedway_queue_tokens") == 0


def test_a_caller_who_leaves_during_the_pass(fake: Server) -> None:
    """A caller who hangs up while its text is computed leaves nothing behind, and the server answers the next."""
    with leave_a_call(fake, "!sleep:0.3"):
        until(lambda: pending(fake) == 1, 5, "the pass runs")
    until(lambda: pending(fake) == 0, 0.25, "the caller is forgotten before the pass ends")
    assert answers(embed(fake, "next"), "next")


@pytest.mark.parametrize("limit_ms", ["100", "0"])
def test_deadline_of_the_caller(fake: Server, limit_ms: str) -> None:
    """`x-embedway-timeout-ms` passes while the text waits: 504 in time, in each dialect's words, and never computed."""
    embed(fake, "what was begun before is done with")
    computed = metric(fake, "embedway_batch_items_sum")
    with busy(fake, 0.6):
        started_s = time.monotonic()
        answer = embed(fake, "late", x_embedway_timeout_ms=limit_ms)
        vendors = post(fake, OPENSEARCH, {"input": "late"}, headers={"x-embedway-timeout-ms": limit_ms})
        assert time.monotonic() - started_s < 0.5
    assert openai_refusal(answer, 504).code == "deadline_exceeded"
    assert vendor_refusal(vendors, 504).code == "RequestTimeout"
    embed(fake, "next")
    assert metric(fake, "embedway_batch_items_sum") == computed + 2


@pytest.mark.parametrize("nonsense", ["", "-1", "1e3", "soon", "9" * 400, "\u00b2"])
def test_deadline_that_is_none(fake: Server, nonsense: str) -> None:
    """A value that is no number of milliseconds is passed over: the server's own limit holds."""
    assert answers(embed(fake, "a", x_embedway_timeout_ms=nonsense), "a")


def test_the_servers_own_limit(narrow: Server) -> None:
    """--request-timeout-s is 504, and a caller cannot lengthen it."""
    started_s = time.monotonic()
    openai_refusal(embed(narrow, "!sleep:2.5", x_embedway_timeout_ms="60000"), 504)
    assert 1.9 < time.monotonic() - started_s < 2.4
    until(lambda: embed(narrow, "a").status == 200, 5, "the pass is over")


def test_a_full_queue(narrow: Server) -> None:
    """While the queue is full, each dialect says 429 at once, with when to come back; nothing of it was computed."""
    computed = metric(narrow, "embedway_batch_items_sum")
    refused = metric(narrow, "embedway_rejections_total", reason="overloaded")
    with busy(narrow, 0.7):
        started_s = time.monotonic()
        answer, vendors = embed(narrow, "abc"), post(narrow, OPENSEARCH, {"input": "abc"})
        assert time.monotonic() - started_s < 0.3
    assert openai_refusal(answer, 429).code == "rate_limit_exceeded"
    assert str(vendor_refusal(vendors, 429).code).startswith("Throttling")
    assert all(1 <= int(one.headers["retry-after"]) <= 60 for one in (answer, vendors))
    assert metric(narrow, "embedway_rejections_total", reason="overloaded") == refused + 2
    assert metric(narrow, "embedway_batch_items_sum") == computed + 1
    assert answers(embed(narrow, "abc"), "abc")


def test_an_idle_model_takes_a_call_of_any_size(narrow: Server) -> None:
    """Thirty long texts are a thousand times what may wait, yet an idle model takes them."""
    assert answers(embed(narrow, *[LONG] * 30), *[LONG] * 30)


def test_a_burst(tmp_path: Path) -> None:
    """Of 200 calls at once, those that find room are answered and the others get 429; none is lost, none fails."""
    with running(tmp_path, "--max-queue-tokens", "400") as server, ThreadPoolExecutor(50) as pool:
        texts = [f"burst {number:03}" for number in range(200)]
        got = list(pool.map(lambda text: embed(server, text), texts))
        for text, answer in zip(texts, got, strict=True):
            assert answer.status == 429 or answers(answer, text)
        assert any(answer.status == 200 for answer in got)
        assert pending(server) == 0
        assert metric(server, "embedway_queue_tokens") == 0
