"""The model's thread dies or hangs: what callers see, what `/ready` says, what the counters show."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server import Server
from tests.wire.errors import openai_refusal
from tests.wire.exchange import Answer, get

from .running import answers, embed, lives, metric, pending, running, until

HUNG = 70


def restarts(server: Server) -> float:
    """Return how often the server's thread has been started again."""
    return metric(server, "embedway_worker_restarts_total")


def test_a_dead_thread_is_started_again(fake: Server) -> None:
    """Whoever was in the pass gets 503 with Retry-After; the very next request succeeds; the metric counts it."""
    before = restarts(fake)
    answer = embed(fake, "!die")
    assert openai_refusal(answer, 503).code == "unavailable"
    assert answer.headers["retry-after"] == "1"
    assert answers(embed(fake, "next"), "next")
    assert get(fake, "/ready").status == 200
    assert restarts(fake) == before + 1


def test_a_dead_thread_loses_nothing_that_waits(tmp_path: Path) -> None:
    """Texts that are not in the pass while the thread dies are answered by the next thread."""
    texts = [f"text {number}" for number in range(10)]
    with running(tmp_path, "--max-batch-items", "1") as server, ThreadPoolExecutor(12) as pool:
        sleeping = pool.submit(embed, server, "!sleep:1")
        until(lambda: pending(server) == 1, 5, "the model is busy")
        dying = pool.submit(embed, server, "!die")
        until(lambda: pending(server) == 2, 5, "the fatal text is waiting")
        asked = [pool.submit(embed, server, text) for text in texts]
        assert sleeping.result(30).status == 200
        openai_refusal(dying.result(30), 503)
        for text, one in zip(texts, asked, strict=True):
            assert answers(one.result(30), text)


def test_ready_never_lies(fake: Server) -> None:
    """While the thread dies, `/ready` turns 503, and whenever it says 200 before and after a request, that one
    succeeds."""
    seen = False
    with ThreadPoolExecutor(1) as pool:
        for _ in range(5):
            dying = pool.submit(embed, fake, "!die")
            while not dying.done():
                count = restarts(fake)
                first, answer, last = get(fake, "/ready").status, embed(fake, "a"), get(fake, "/ready").status
                if (first, last) == (200, 200) and restarts(fake) == count:
                    assert answers(answer, "a")
                seen = seen or 503 in (first, last)
            if seen:
                return
    pytest.fail("/ready said 200 through five deaths of the thread")


@contextlib.contextmanager
def hanging(folder: Path, *flags: str) -> Iterator[tuple[Server, list[Future[Answer]], Callable[[], None]]]:
    """Give a server whose model hangs, and the calls of one caller in the pass and two who wait."""
    with (
        running(folder, "--hang-timeout-s", "1", *flags) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        calls = [pool.submit(embed, server, "!hang")]
        until(lambda: pending(server) == 1, 5, "the model hangs")
        calls += [pool.submit(embed, server, "a", "b") for _ in range(2)]
        until(lambda: pending(server) == 5, 5, "the others are waiting")
        yield server, calls, lambda: refused(calls)


def refused(calls: list[Future[Answer]]) -> None:
    """Check that every call got 503 in OpenAI's words, with the time to come back."""
    for call in calls:
        answer = call.result(10)
        assert openai_refusal(answer, 503).code == "unavailable"
        assert int(answer.headers["retry-after"]) >= 1


def test_a_hang_ends_the_process(tmp_path: Path) -> None:
    """Everyone gets 503, `/ready` turns 503 while `/health` is 200, new calls are refused at once, and the process
    ends with status 70."""
    with hanging(tmp_path) as (server, _, all_refused):
        assert get(server, "/ready").status == 200
        all_refused()
        assert get(server, "/ready").status == 503
        assert get(server, "/health").status == 200
        openai_refusal(embed(server, "too late"), 503)
        assert metric(server, "embedway_model_ready") == 0
        assert server.process.wait(5) == HUNG


def test_a_supervised_server_comes_back_after_a_hang(tmp_path: Path) -> None:
    """Under --supervise the server ends and is started again by itself, with the same port, and answers again."""
    with hanging(tmp_path, "--supervise") as (server, _, all_refused):
        all_refused()
        until(lambda: lives(server) == 2 and server.ready(), 15, "the server is back")
        assert answers(embed(server, "again"), "again")
        assert f"status {HUNG}" in server.output()
        assert server.stop() == 0
