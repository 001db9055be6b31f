"""Counts in a real Redis: shared while it answers, in this process while it does not, and back by themselves."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedway.access.shared import PROBE_S, TIMEOUT_S, RedisCounts, SharedCounts, make_counts
from embedway.access.window import LocalCounts, Window
from embedway.errors import SettingsError
from tests.redis import RedisServer, redis_running

MINUTE = Window("minute", 100, 60_000, "tokens")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_running(tmp_path) as server:
        yield server


def shared(server: RedisServer, heard: list[bool]) -> SharedCounts:
    return SharedCounts(RedisCounts(server.url), heard.append)


async def used(counts: SharedCounts) -> int:
    """What the window holds, one more counted."""
    return (await counts.take([(MINUTE, 1)])).states[0].used


async def until(true: Callable[[], bool]) -> None:
    """Wait for the probe, a while longer where the machine is busy."""
    until_s = time.monotonic() + 20 * PROBE_S
    while not true():
        assert time.monotonic() < until_s
        await asyncio.sleep(0.02)


def test_two_share_one_limit(redis: RedisServer) -> None:
    """Many takes at the same time from two servers: exactly the limit passes; both see corrections."""

    async def play() -> None:
        here, there = shared(redis, []), shared(redis, [])
        verdicts = await asyncio.gather(*(one.take([(MINUTE, 5)]) for one in [here, there] * 20))
        passed = [one for one in verdicts if not one.wait_ms]
        assert len(passed) == 20
        assert all(59_000 < one.wait_ms <= 61_000 for one in verdicts if one.wait_ms)
        await passed[0].by.change([(passed[0].states[0], -5)])
        assert (await there.take([(MINUTE, 5)])).wait_ms == 0
        assert (await here.take([(MINUTE, 1)])).wait_ms > 0
        await here.stop()
        await there.stop()

    asyncio.run(play())


def test_killed_and_started_again(redis: RedisServer) -> None:
    """Without Redis this process counts, from nothing; nobody waits; what Redis counted before is not corrected here;
    and when Redis is back it counts.
    """
    heard: list[bool] = []

    async def play() -> None:
        counts = shared(redis, heard)
        before = await counts.take([(MINUTE, 50)])
        redis.kill()
        assert await used(counts) == 1
        assert heard == [True]
        assert await before.by.change([(before.states[0], -50)]) == [before.states[0]]
        begun_s = time.monotonic()
        for number in range(20):
            assert await used(counts) == 2 + number
        assert time.monotonic() - begun_s < TIMEOUT_S
        redis.start()
        await until(lambda: heard == [True, False])
        assert await used(counts) == 1
        await counts.stop()

    asyncio.run(play())


def test_a_restart_that_nobody_notices(redis: RedisServer) -> None:
    """Connections that are stale are made anew: no call falls back."""
    heard: list[bool] = []

    async def play() -> None:
        counts = shared(redis, heard)
        assert [await used(counts) for _ in range(2)] == [1, 2]
        redis.kill()
        redis.start()
        assert await used(counts) == 1
        assert heard == []
        await counts.stop()

    asyncio.run(play())


def test_frozen(redis: RedisServer) -> None:
    """A Redis that takes calls and never answers costs those that wait for it their time once, and nobody after."""
    heard: list[bool] = []

    async def play() -> None:
        counts = shared(redis, heard)
        await used(counts)
        redis.freeze()
        begun_s = time.monotonic()
        await asyncio.gather(*(used(counts) for _ in range(10)))
        assert TIMEOUT_S * 0.9 < time.monotonic() - begun_s < TIMEOUT_S * 4
        begun_s = time.monotonic()
        await used(counts)
        assert time.monotonic() - begun_s < TIMEOUT_S / 2
        redis.thaw()
        await until(lambda: heard == [True, False])
        await counts.stop()

    asyncio.run(play())


def test_stopping_while_redis_is_away(redis: RedisServer) -> None:
    """Nothing is left behind."""

    async def play() -> None:
        counts = shared(redis, [])
        redis.kill()
        await used(counts)
        await counts.stop()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(play())


def test_which_counts(redis: RedisServer) -> None:
    """Without a URL they are local; a Valkey's URL is one for the same client; one that is none is refused."""
    assert isinstance(make_counts(None, print), LocalCounts)

    async def play() -> None:
        counts = make_counts(redis.url.replace("redis://", "valkey://"), print)
        assert isinstance(counts, SharedCounts)
        verdict = await counts.take([(MINUTE, 1)])
        assert verdict.by is counts
        await counts.stop()

    asyncio.run(play())


def test_what_cannot_be_used_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is none, and a client that is not installed; the URL, which may hold a password, is not repeated."""
    with pytest.raises(SettingsError, match="quota_url cannot be used") as refused:
        make_counts("redis://:secret@localhost:port/0", print)
    assert "secret" not in refused.value.message
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(SettingsError, match="embedway\\[redis\\]"):
        make_counts("redis://localhost:6379/0", print)
