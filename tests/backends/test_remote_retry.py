"""When a service is left alone, on a clock of the test's own."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time

import pytest

from embedway.backends.remote_answer import Setback
from embedway.backends.remote_definition import Definition
from embedway.backends.remote_pass import Passes
from embedway.backends.remote_retry import Breaker, persist
from embedway.errors import RemoteFailed, Unavailable
from embedway.types import Outputs

from .services import NEVER, Question, Reply, length_vectors, misbehaving, remote


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclasses.dataclass(frozen=True)
class Item:
    given: str = "four"
    phase: str = "build"
    cost: int = 1


def test_five_failures_in_a_row_close_the_way() -> None:
    """A success between them begins the count anew; after ten seconds there is a trial, which decides."""
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(4):
        breaker.fail(clock())
    breaker.succeed()
    for number in range(5):
        assert breaker.rest_s == 0, number
        clock.now_s += 1
        breaker.fail(clock())
    assert breaker.rest_s == 10
    clock.now_s += 9.5
    assert breaker.rest_s == 0.5
    clock.now_s += 0.5
    assert (breaker.rest_s, breaker.trying) == (0, True)
    breaker.fail(clock())
    assert breaker.rest_s == 10
    clock.now_s += 10
    breaker.succeed()
    assert (breaker.rest_s, breaker.trying) == (0, False)


def test_failures_side_by_side_count_once() -> None:
    """Eight requests that were sent together and failed together are one sign."""
    clock = Clock()
    breaker = Breaker(clock)
    started_s, clock.now_s = clock(), 3.0
    for _ in range(8):
        breaker.fail(started_s)
    assert not breaker.trying


def test_the_way_is_closed_and_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    """Given a service that is down, the sixth attempt is not made: callers are refused at once. Ten seconds later one
    request alone is sent first; when it succeeds, all are answered.
    """
    state = {"down": True}

    def behave(question: Question) -> Reply:
        return Reply(503) if state["down"] else length_vectors(question)

    async def scenario(url: str) -> None:
        clock = Clock()
        passes = Passes(Definition(remote(url, attempts=3)), Breaker(lambda: clock() + time.monotonic()))
        first, second = await passes.run([Item()]), await passes.run([Item()])
        assert isinstance(first[0], RemoteFailed)
        assert isinstance(second[0], RemoteFailed)
        assert len(service.asked) == 5
        third = await passes.run([Item(), Item()])
        assert [type(one) for one in third] == [Unavailable, Unavailable]
        assert "failed 5 times in a row: it is asked again in 10 s" in str(third[0])
        assert len(service.asked) == 5
        clock.now_s = 10.0
        assert isinstance((await passes.run([Item()] * 4))[3], RemoteFailed)
        assert len(service.asked) == 6
        clock.now_s, state["down"] = 21.0, False
        assert all(isinstance(one, Outputs) for one in await passes.run([Item()] * 4))
        await passes.close()

    with misbehaving(behave) as service:
        asyncio.run(scenario(service.url))
    closed = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert closed == [f"The remote service 127.0.0.1:{service.port} does not answer: it is left alone for 10 s."] * 2


@pytest.mark.parametrize("reply", [Reply(400), Reply(401), Reply(429), Reply(500), Reply(200, b"{")])
def test_a_service_that_answers_is_not_down(reply: Reply) -> None:
    """However badly: one caller's broken text must not shut out the others."""

    async def scenario(url: str) -> None:
        passes = Passes(Definition(remote(url, attempts=1)))
        for _ in range(8):
            assert not isinstance((await passes.run([Item()]))[0], Unavailable)
        await passes.close()

    with misbehaving(lambda question: reply) as service:
        asyncio.run(scenario(service.url))
        assert len(service.asked) == 8


def test_too_many_items_for_the_time_are_not_the_services_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass ends, and the next one is made."""
    monkeypatch.setattr("embedway.backends.remote_pass.SLACK_S", -0.05)

    async def scenario(url: str) -> None:
        breaker = Breaker()
        passes = Passes(Definition(remote(url, timeout_s=0.1, attempts=1)), breaker)
        for _ in range(6):
            assert isinstance((await passes.run([Item()]))[0], RemoteFailed)
        assert not breaker.trying
        await passes.close()

    with misbehaving(lambda question: NEVER) as service:
        asyncio.run(scenario(service.url))


def test_pauses_grow_and_vary() -> None:
    """And end where the time does."""

    async def pauses(until_s: float) -> list[float]:
        at_s: list[float] = []

        async def attempt() -> None:
            at_s.append(time.monotonic())
            raise Setback("down", "fails")

        with pytest.raises(Setback):
            await persist(attempt, 4, time.monotonic() + until_s, Breaker(Clock()))
        return [later - former for former, later in itertools.pairwise(at_s)]

    found = asyncio.run(pauses(60))
    assert len(found) == 3
    assert 0.1 <= found[0] < found[2] < 1
    assert len(asyncio.run(pauses(0.25))) < 2
