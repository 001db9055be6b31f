"""Sliding windows: never more than the limit in any stretch of the period, and corrections that are exact."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedway.access.shared import RedisCounts
from embedway.access.window import SLOTS, LocalCounts, State, Verdict, Window
from tests.redis import redis_running

T = TypeVar("T")
SECOND = Window("second", 20, 1000, "requests")
MINUTE = Window("minute", 1000, 60_000, "tokens")
windows = st.sampled_from([SECOND, MINUTE])


class Clock:
    def __init__(self, now_ms: int = 1_700_000_000_123) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def steps(most: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Pauses before calls in thousandths of the period, and the calls' amounts."""
    return st.lists(st.tuples(st.integers(0, 1200), st.integers(1, most)), max_size=60)


def now(awaitable: Coroutine[Any, Any, T]) -> T:
    """The result of what never waits."""
    try:
        awaitable.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


def take(counts: LocalCounts, window: Window, amount: int) -> Verdict:
    return now(counts.take([(window, amount)]))


@given(window=windows, calls=steps(20))
def test_never_more_than_the_limit_within_any_period(window: Window, calls: list[tuple[int, int]]) -> None:
    """Whatever the pauses and amounts: in each stretch of a period, the sum is within the limit."""
    clock = Clock()
    counts = LocalCounts(clock)
    passed: list[tuple[int, int]] = []
    for pause, amount in calls:
        clock.now_ms += pause * window.period_ms // 1000
        if not take(counts, window, amount).wait_ms:
            passed.append((clock.now_ms, amount))
            recent = sum(one for at_ms, one in passed if at_ms > clock.now_ms - window.period_ms)
            assert recent <= window.limit


@given(window=windows, calls=steps(20))
def test_the_wait_is_true(window: Window, calls: list[tuple[int, int]]) -> None:
    """After it the call passes, and a millisecond before it does not."""
    clock = Clock()
    counts = LocalCounts(clock)
    for pause, amount in calls:
        clock.now_ms += pause * window.period_ms // 1000
        verdict = take(counts, window, amount)
        if verdict.wait_ms:
            clock.now_ms += verdict.wait_ms - 1
            assert take(counts, window, amount).wait_ms == 1
            clock.now_ms += 1
            assert take(counts, window, amount).wait_ms == 0


@given(window=windows, calls=steps(20))
def test_what_is_refused_counts_nowhere(window: Window, calls: list[tuple[int, int]]) -> None:
    """Of two windows that are asked together, a full one leaves the other as it was; and little is wasted: a refusal
    means that a period and one slot held too much.
    """
    clock = Clock()
    counts = LocalCounts(clock)
    other = Window("other", 1_000_000, window.period_ms, "tokens")
    passed: list[tuple[int, int]] = []
    for pause, amount in calls:
        clock.now_ms += pause * window.period_ms // 1000
        verdict = now(counts.take([(window, amount), (other, amount)]))
        if not verdict.wait_ms:
            passed.append((clock.now_ms, amount))
            continue
        stretch_ms = window.period_ms + window.slot_ms
        recent = sum(one for at_ms, one in passed if at_ms > clock.now_ms - stretch_ms)
        assert recent + amount > window.limit
        assert verdict.states[1].used == verdict.states[0].used


@given(window=windows, calls=steps(20), data=st.data())
def test_corrections_are_exact(window: Window, calls: list[tuple[int, int]], data: st.DataObject) -> None:
    """What a window holds is the true amounts of the calls that it has not forgotten, whenever they became known."""
    clock = Clock()
    counts = LocalCounts(clock)
    held: list[tuple[State, int]] = []
    for pause, amount in calls:
        clock.now_ms += pause * window.period_ms // 1000
        verdict = take(counts, window, amount)
        if not verdict.wait_ms:
            held.append((verdict.states[0], amount))
        if held:
            place = data.draw(st.integers(0, len(held) - 1))
            then, old = held[place]
            true = data.draw(st.integers(0, 50))
            (state,) = now(counts.change([(then, true - old)]))
            if window.end_ms(then.slot) > clock.now_ms:
                held[place] = (then, true)
            alive = sum(one for at, one in held if window.end_ms(at.slot) > clock.now_ms)
            assert state.used == alive


def test_a_window_never_holds_more_numbers_than_slots() -> None:
    """However much passes."""
    clock = Clock()
    counts = LocalCounts(clock)
    for _ in range(5000):
        clock.now_ms += 7
        take(counts, MINUTE, 1)
    assert len(counts._logs["minute"].slots) <= SLOTS + 1


def test_windows_that_hold_nothing_are_dropped() -> None:
    """Names that callers make up do not fill the memory."""
    clock = Clock()
    counts = LocalCounts(clock)
    for number in range(1000):
        take(counts, Window(f"made up {number}", 5, 1000, "requests"), 1)
    clock.now_ms += 120_000
    take(counts, SECOND, 1)
    assert list(counts._logs) == ["second"]


def test_an_amount_above_the_limit_is_the_asker_s_fault() -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="never have room"):
        take(LocalCounts(), SECOND, 21)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisCounts, asyncio.Runner, Clock]]:
    """Counts in a real Redis, what runs them, and the clock that they go by."""
    clock = Clock()
    with redis_running(tmp_path_factory.mktemp("redis")) as server, asyncio.Runner() as runner:
        counts = RedisCounts(server.url, clock)
        try:
            yield counts, runner, clock
        finally:
            runner.run(counts.stop())


@settings(deadline=None)  # round trips take what they take
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 1200), st.integers(1, 20), st.integers(-20, 10), st.integers(0, 700)), max_size=40
    )
)
def test_redis_counts_as_this_process_does(
    redis: tuple[RedisCounts, asyncio.Runner, Clock], calls: list[tuple[int, int, int, int]]
) -> None:
    """The script's verdicts, waits and states are those of the local counts, for any calls and corrections."""
    remote, runner, clock = redis
    run = clock.now_ms = clock.now_ms + 1
    pair = (Window(f"a{run}", 20, 1000, "requests"), Window(f"b{run}", 60, 60_000, "tokens"))

    async def play() -> None:
        local = LocalCounts(clock)
        for pause, amount, correction, later in calls:
            clock.now_ms += pause
            asked = [(pair[0], amount), (pair[1], amount)]
            ours, theirs = await local.take(asked), await remote.take(asked)
            assert (ours.wait_ms, ours.states) == (theirs.wait_ms, theirs.states)
            if not ours.wait_ms:
                clock.now_ms += later
                fixes = [(ours.states[1], max(correction, -amount))]
                assert await local.change(fixes) == await remote.change(fixes)

    runner.run(play())
