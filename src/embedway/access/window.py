"""Sliding windows: never more than a limit within any stretch of a period, with what was counted open to correction.

A window is cut into `SLOTS` slots by the clock. What is counted falls into the slot of that moment and is forgotten a
whole period after the slot's end: up to a hundredth of a period late, never early. So a window holds a hundred numbers
however much passes, and what one call was charged can be changed later, in its own slot.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["requests", "tokens"]
SLOTS = 100
_SWEEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` in any `period_ms`. All that is counted under one `name` is counted together; `scope` says
    in words for whom.
    """

    name: str
    limit: int
    period_ms: int
    unit: Unit
    scope: str = ""

    @property
    def slot_ms(self) -> int:
        return self.period_ms // SLOTS

    def end_ms(self, slot: int) -> int:
        """When what was counted in a slot is forgotten."""
        return (slot + 1) * self.slot_ms + self.period_ms


@dataclass(frozen=True, slots=True)
class State:
    """What a window holds: `used` of its limit, which a correction can bring above it, all of it forgotten in
    `reset_ms`. `slot` is the one that is counted in now.
    """

    window: Window
    slot: int
    used: int
    reset_ms: int

    @property
    def left(self) -> int:
        return max(0, self.window.limit - self.used)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait_ms` 0: the amounts have been counted in every window. Else in none of them, and that is how long it takes
    until all have room. `by` keeps the count.
    """

    wait_ms: int
    states: Sequence[State]
    by: Counts


class Counts(Protocol):
    """Who counts. An amount above its window's limit must not be asked for: it never has room."""

    async def take(self, asked: Sequence[tuple[Window, int]]) -> Verdict:
        """Count these amounts, or none of them."""

    async def change(self, corrections: Sequence[tuple[State, int]]) -> Sequence[State]:
        """Add to what was counted (less than nothing: give back), in the slot of that time; what has been forgotten
        meanwhile stays forgotten.
        """

    async def stop(self) -> None:
        """Let go of what counting holds."""


class _Log:
    """The slots of one window that are not forgotten yet, oldest first."""

    __slots__ = ("slots", "used")

    def __init__(self) -> None:
        self.slots: deque[list[int]] = deque()
        self.used = 0

    def forget(self, window: Window, now_ms: int) -> None:
        while self.slots and window.end_ms(self.slots[0][0]) <= now_ms:
            self.used -= self.slots.popleft()[1]

    def wait_ms(self, window: Window, amount: int, now_ms: int) -> int:
        """Until the amount has room; 0: it has."""
        left = self.used
        if left + amount <= window.limit:
            return 0
        for slot, counted in self.slots:
            left -= counted
            if left + amount <= window.limit:
                return window.end_ms(slot) - now_ms
        raise ValueError(f"{amount} can never have room in {window.limit}.")

    def add(self, slot: int, amount: int) -> None:
        if self.slots and self.slots[-1][0] == slot:
            self.slots[-1][1] += amount
        else:
            self.slots.append([slot, amount])
        self.used += amount

    def correct(self, slot: int, amount: int) -> None:
        for entry in reversed(self.slots):  # mostly a young one
            if entry[0] <= slot:
                if entry[0] == slot:
                    entry[1] += amount
                    self.used += amount
                return

    def state(self, window: Window, now_ms: int) -> State:
        reset_ms = window.end_ms(self.slots[-1][0]) - now_ms if self.used else 0
        return State(window, now_ms // window.slot_ms, self.used, reset_ms)


class LocalCounts:
    """Counts in this process alone."""

    def __init__(self, clock_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000) -> None:
        self._clock_ms = clock_ms
        self._logs: dict[str, _Log] = {}
        self._windows: dict[str, Window] = {}
        self._swept_ms = clock_ms()

    async def take(self, asked: Sequence[tuple[Window, int]]) -> Verdict:
        now_ms = self._clock_ms()
        self._sweep(now_ms)
        logs = [self._log(window, now_ms) for window, _ in asked]
        pairs = list(zip(logs, asked, strict=True))
        wait_ms = max((log.wait_ms(window, amount, now_ms) for log, (window, amount) in pairs), default=0)
        if not wait_ms:
            for log, (window, amount) in pairs:
                log.add(now_ms // window.slot_ms, amount)
        return Verdict(wait_ms, [log.state(window, now_ms) for log, (window, _) in pairs], self)

    async def change(self, corrections: Sequence[tuple[State, int]]) -> Sequence[State]:
        now_ms = self._clock_ms()
        found = []
        for then, amount in corrections:
            log = self._log(then.window, now_ms)
            log.correct(then.slot, amount)
            found.append(log.state(then.window, now_ms))
        return found

    async def stop(self) -> None:
        pass

    def _log(self, window: Window, now_ms: int) -> _Log:
        log = self._logs.get(window.name)
        if log is None:
            log = self._logs[window.name] = _Log()
            self._windows[window.name] = window
        log.forget(window, now_ms)
        return log

    def _sweep(self, now_ms: int) -> None:
        """Drop the windows that hold nothing any more: callers may name ever new workspaces."""
        if now_ms - self._swept_ms < _SWEEP_MS:
            return
        self._swept_ms = now_ms
        for name, window in list(self._windows.items()):
            log = self._logs[name]
            log.forget(window, now_ms)
            if not log.slots:
                del self._logs[name], self._windows[name]
