"""What is being done to entries: one thing at a time for each, and the unloading of those that nobody used for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from embedway.engine.entry import Entry
from embedway.errors import Unavailable

Work = Callable[[], Awaitable[None]]


class Works:
    """Every work is a task of its own: who asked for it may leave. `rest` is begun when a keep-alive has passed."""

    def __init__(self, rest: Callable[[Entry], Awaitable[None]]) -> None:
        self.stopping = False
        self._rest = rest
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Entry, asyncio.TimerHandle] = {}

    async def do(self, entry: Entry, work: Work) -> None:
        """Do it after what is being done to the entry now. Raises what the work raises."""
        while entry.work is not None:
            await asyncio.wait([entry.work])
        task = self.begin(entry, work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self.stopping:  # the work was given up, not the one who asked for it
                raise _stopped() from None
            raise

    def later(self, entry: Entry, work: Work) -> None:
        """Do it after what is being done to the entry now; nobody waits for it."""
        task = asyncio.create_task(self.do(entry, work), name=f"later on {entry.spec.name}")
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def begin(self, entry: Entry, work: Work) -> asyncio.Task[None]:
        """Begin it on an entry to which nothing is being done. Raises `Unavailable` at the end of the server."""
        if self.stopping:
            raise _stopped()

        async def run() -> None:
            await work()

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            entry.work = None
            self.watch(entry)
            if not task.cancelled():
                task.exception()  # who asked has it, or has left

        entry.work = task = asyncio.create_task(run(), name=f"work on {entry.spec.name}")
        self._tasks.add(task)
        task.add_done_callback(end)  # the first callback: whoever waits for the task finds it ended
        return task

    def watch(self, entry: Entry, anew: bool = False) -> None:
        """Look at the entry when its keep-alive may have passed; `anew` where the keep-alive has changed."""
        if anew and entry in self._timers:
            self._timers.pop(entry).cancel()
        keep_s = entry.spec.keep_alive_s
        if keep_s is None or entry in self._timers or entry.loaded is None or self.stopping:
            return
        left_s = entry.used_s + keep_s - time.monotonic()
        self._timers[entry] = asyncio.get_running_loop().call_later(max(0.0, left_s), self._look, entry)

    async def stop(self) -> None:
        """Cancel everything, and begin nothing more."""
        self.stopping = True
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def _look(self, entry: Entry) -> None:
        del self._timers[entry]
        keep_s = entry.spec.keep_alive_s
        if keep_s is None or entry.busy or entry.work:
            return  # who is busy with it watches it again
        if time.monotonic() < entry.used_s + keep_s:
            self.watch(entry)
        elif entry.loaded:
            self.begin(entry, lambda: self._rest(entry))


def _stopped() -> Unavailable:
    return Unavailable("The server is shutting down: try again.")
