"""When a service is asked again, and when it is left alone."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from embedway.backends.remote_answer import Setback

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
FAILURES = 5
REST_S = 10.0
FIRST_PAUSE_S = 0.1
MOST_PAUSE_S = 2.0


class Breaker:
    """Counts failures in a row; `FAILURES` of them close the way for `REST_S`, then one trial decides.

    Requests that failed side by side count once: they are one sign, not several. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._failures = 0
        self._failed_s = 0.0

    @property
    def trying(self) -> bool:
        """Whether the next request is a trial, or none may be made at all."""
        return self._failures >= FAILURES

    @property
    def rest_s(self) -> float:
        """Seconds until the service may be asked; 0 where it may."""
        return max(0.0, self._failed_s + REST_S - self.clock()) if self.trying else 0.0

    def succeed(self) -> None:
        self._failures = 0

    def fail(self, started_s: float) -> None:
        """An attempt that began then has failed now."""
        if self._failures == 0 or started_s >= self._failed_s:
            self._failures += 1
            self._failed_s = self.clock()


async def persist(attempt: Callable[[], Awaitable[T]], attempts: int, until_s: float, breaker: Breaker) -> T:
    """The attempt's result, tried again after what may pass, within `until_s` of the monotonic clock.

    Pauses grow and vary; a service that says when to come back is believed. Raises the last `Setback`.
    """
    import tenacity

    growing = tenacity.wait_exponential(multiplier=FIRST_PAUSE_S, max=MOST_PAUSE_S) + tenacity.wait_random(
        0, FIRST_PAUSE_S
    )

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.retry_after_s if isinstance(error, Setback) else None
        return growing(state) if told is None else max(told, FIRST_PAUSE_S)

    def enough(state: RetryCallState) -> bool:
        return (
            state.attempt_number >= attempts or breaker.rest_s > 0 or time.monotonic() + state.upcoming_sleep >= until_s
        )

    async def once() -> T:
        started_s = breaker.clock()
        try:
            result = await attempt()
        except Setback as setback:
            if setback.cause == "down":
                breaker.fail(started_s)
            elif setback.cause != "late":  # which says nothing of the service
                breaker.succeed()
            raise
        breaker.succeed()
        return result

    retrying = tenacity.AsyncRetrying(
        wait=pause,
        stop=enough,
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Setback) and error.passing),
        reraise=True,
    )
    return await retrying(once)
