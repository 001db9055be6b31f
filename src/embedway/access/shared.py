"""Windows counted for several servers, in Redis or Valkey; without it each counts alone until it is back.

One round trip of a script for all windows of a request, so that nobody gets in between: the same arithmetic as
`access.window`, on Redis's own clock (the servers' need not agree), with the slots as the fields of a hash.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from embedway.access.window import SLOTS, Counts, LocalCounts, State, Verdict, Window
from embedway.errors import SettingsError

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT_S = 0.5
"""How long a request waits for Redis; then Redis is not asked before it answers a probe."""
PROBE_S = 1.0
CONNECTIONS = 8
"""So many asks are under way at once; others wait for a connection, which takes less time than a new one."""
PREFIX = "embedway:quota:"
_KEEP_MS = 60_000

_COMMON = f"""
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local function read(key, period)
  local slot, used, live = period / {SLOTS}, 0, {{}}
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local at, counted = tonumber(fields[i]), tonumber(fields[i + 1])
    if (at + 1) * slot + period <= now then
      redis.call('HDEL', key, fields[i])
    else
      used = used + counted
      live[#live + 1] = {{at, counted}}
    end
  end
  table.sort(live, function(one, other) return one[1] < other[1] end)
  return slot, used, live
end
local function tell(reply, slot, used, newest, period)
  local reset = 0
  if used ~= 0 and newest then reset = (newest + 1) * slot + period - now end
  for _, number in ipairs({{math.floor(now / slot), used, reset}}) do reply[#reply + 1] = number end
end
"""

TAKE = f"""{_COMMON}
-- ARGV: now or 0; then limit, period in ms and amount of each key
local wait, found = 0, {{}}
for n, key in ipairs(KEYS) do
  local limit, period, amount = tonumber(ARGV[3 * n - 1]), tonumber(ARGV[3 * n]), tonumber(ARGV[3 * n + 1])
  local slot, used, live = read(key, period)
  local left, first = used, 1
  while left + amount > limit and live[first] do
    left = left - live[first][2]
    if left + amount <= limit then wait = math.max(wait, (live[first][1] + 1) * slot + period - now) end
    first = first + 1
  end
  found[n] = {{slot, used, live[#live] and live[#live][1], period, amount}}
end
local reply = {{wait}}
for n, key in ipairs(KEYS) do
  local slot, used, newest, period, amount = unpack(found[n], 1, 5)
  if wait == 0 then
    newest = math.floor(now / slot)
    used = used + amount
    redis.call('HINCRBY', key, newest, amount)
    redis.call('PEXPIRE', key, 2 * period + {_KEEP_MS})
  end
  tell(reply, slot, used, newest, period)
end
return reply
"""

CHANGE = f"""{_COMMON}
-- ARGV: now or 0; then slot, period in ms and amount of each key
local reply = {{}}
for n, key in ipairs(KEYS) do
  local at, period, amount = ARGV[3 * n - 1], tonumber(ARGV[3 * n]), tonumber(ARGV[3 * n + 1])
  read(key, period)
  if redis.call('HEXISTS', key, at) == 1 then redis.call('HINCRBY', key, at, amount) end
  local slot, used, live = read(key, period)
  tell(reply, slot, used, live[#live] and live[#live][1], period)
end
return reply
"""


class RedisCounts:
    """Counts in Redis. Raises what its client raises when Redis is away."""

    def __init__(self, url: str, clock_ms: Callable[[], int] = lambda: 0) -> None:
        """`clock_ms` 0 stands for Redis's own clock. Raises `SettingsError` without the client or for a wrong URL."""
        try:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
            from redis.exceptions import RedisError
        except ImportError as error:
            raise SettingsError("quota_url needs Redis's client: pip install 'embedway[redis]'.") from error
        self.failures: tuple[type[Exception], ...] = (RedisError, OSError, TimeoutError)
        self._clock_ms = clock_ms
        try:
            pool = BlockingConnectionPool.from_url(
                _redis_scheme(url),
                max_connections=CONNECTIONS,
                timeout=TIMEOUT_S,
                protocol=2,
                socket_connect_timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                retry=Retry(NoBackoff(), 1),  # a connection may be stale since Redis was restarted
            )
            self._client = Redis.from_pool(pool)
        except ValueError as error:
            raise SettingsError(f"quota_url cannot be used: {error}.") from error
        self._take: Callable[..., Awaitable[Any]] = self._client.register_script(TAKE)
        self._change: Callable[..., Awaitable[Any]] = self._client.register_script(CHANGE)

    async def take(self, asked: Sequence[tuple[Window, int]]) -> Verdict:
        arguments = [number for window, amount in asked for number in (window.limit, window.period_ms, amount)]
        windows = [window for window, _ in asked]
        wait_ms, *numbers = await self._take(keys=_keys(windows), args=[self._clock_ms(), *arguments])
        return Verdict(int(wait_ms), _states(windows, numbers), self)

    async def change(self, corrections: Sequence[tuple[State, int]]) -> Sequence[State]:
        arguments = [number for then, amount in corrections for number in (then.slot, then.window.period_ms, amount)]
        windows = [then.window for then, _ in corrections]
        numbers = await self._change(keys=_keys(windows), args=[self._clock_ms(), *arguments])
        return _states(windows, numbers)

    async def probe(self) -> None:
        await self._client.ping()

    async def stop(self) -> None:
        await self._client.aclose()


class SharedCounts:
    """Counts in Redis while it answers, else in this process, each server up to the full limits."""

    def __init__(self, redis: RedisCounts, on_local: Callable[[bool], None]) -> None:
        """`on_local` hears of every change between the two."""
        self._redis = redis
        self._local = LocalCounts()
        self._on_local = on_local
        self._probing: asyncio.Task[None] | None = None

    async def take(self, asked: Sequence[tuple[Window, int]]) -> Verdict:
        verdict = await self._within_time(lambda: self._redis.take(asked))
        return dataclasses.replace(verdict, by=self) if verdict is not None else await self._local.take(asked)

    async def change(self, corrections: Sequence[tuple[State, int]]) -> Sequence[State]:
        """What Redis cannot be told is forgotten there by itself, within the window's period."""
        states = await self._within_time(lambda: self._redis.change(corrections))
        return states if states is not None else [then for then, _ in corrections]

    async def stop(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        await self._redis.stop()

    async def _within_time(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Redis's answer; None where it does not give one in time, or is known to be away."""
        if self._probing is not None:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await ask()
        except self._redis.failures as error:
            if self._probing is None:
                log.warning("Redis does not count the quotas, so this server does alone: %s", type(error).__name__)
                self._on_local(True)
                self._probing = asyncio.create_task(self._probe(), name="wait for Redis")
            return None

    async def _probe(self) -> None:
        """Wait until Redis answers again."""
        while True:
            await asyncio.sleep(PROBE_S)
            with contextlib.suppress(*self._redis.failures):
                async with asyncio.timeout(TIMEOUT_S):
                    await self._redis.probe()
                break
        log.warning("Redis counts the quotas again.")
        self._on_local(False)
        self._probing = None


def make_counts(url: str | None, on_local: Callable[[bool], None]) -> Counts:
    """Those that the settings ask for. Raises `SettingsError`."""
    return LocalCounts() if url is None else SharedCounts(RedisCounts(url), on_local)


def _redis_scheme(url: str) -> str:
    """Valkey speaks Redis's protocol."""
    return url.replace("valkey", "redis", 1) if url.startswith("valkey") else url


def _keys(windows: Iterable[Window]) -> list[str]:
    return [PREFIX + window.name for window in windows]


def _states(windows: Sequence[Window], numbers: Sequence[int]) -> list[State]:
    rows = zip(windows, numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return [State(window, int(slot), int(used), int(reset_ms)) for window, slot, used, reset_ms in rows]
