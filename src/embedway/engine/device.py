"""One device's thread: models take turns on it, so that several of them never oversubscribe its cores."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from embedway.errors import EmbedwayError, Unavailable
from embedway.observe import Metrics

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 0.25
STOP_S = 2.0
"""How long `stop` waits for a pass that nobody waits for any more; the thread then ends with the process."""


class Lane(Protocol):
    """One model's share of the device."""

    @property
    def waiting(self) -> bool:
        """Whether it has work. Called with the device's lock held."""

    def step(self) -> None:
        """Take one batch and run it; on the device's thread."""

    def abort(self, error: EmbedwayError, everything: bool) -> None:
        """Fail what is in flight, and `everything` that waits too; on the event loop."""


class Device:
    """The thread, and the watch over it.

    A thread that died is started again. A native call that hangs past `hang_s` cannot be killed: everything fails with
    503, `ready` turns false and `on_hang` is called once, so that the process can end and be started anew.
    """

    def __init__(self, name: str, hang_s: float, on_hang: Callable[[], None], metrics: Metrics) -> None:
        self.name = name
        mutex = threading.RLock()
        self.lock = threading.Condition(mutex)
        self._ended = threading.Condition(mutex)  # apart from `lock`: a call that comes must wake the thread, none else
        self.hung = False
        self._hang_s = hang_s
        self._on_hang = on_hang
        self._metrics = metrics
        self._lanes: list[Lane] = []
        self._busy: tuple[Lane, float] | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def stopped(self) -> bool:
        """Whether the thread has ended, so that what it used may be closed."""
        return self._thread is None or not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread itself runs and answers: not the process, not the configuration."""
        return self._thread is not None and self._thread.is_alive() and not self.hung

    def start(self) -> None:
        """Start the thread and, on the running event loop, the watch over it."""
        self._start_thread()
        self._watch = asyncio.get_running_loop().create_task(self._watch_thread(), name=f"watch {self.name}")

    async def stop(self) -> None:
        """End the watch and the thread; a hung one is left behind, it ends with the process."""
        if self._watch:
            self._watch.cancel()
        with self.lock:
            self._stopping = True
            self.lock.notify_all()
        if self._thread and not self.hung:
            await asyncio.to_thread(self._thread.join, STOP_S)

    def add(self, lane: Lane) -> None:
        with self.lock:
            self._lanes.append(lane)
            self.lock.notify_all()

    def runs(self, lane: Lane) -> bool:
        """Whether a pass of the model goes on, and will end."""
        busy = self._busy
        return busy is not None and busy[0] is lane and not (self.hung or self.stopped)

    def remove(self, lane: Lane) -> bool:
        """Take a model off and wait until its pass has ended; blocks. False where the pass hangs and never will."""
        with self.lock:
            if lane in self._lanes:
                self._lanes.remove(lane)
            while self.runs(lane):
                self._ended.wait(WATCH_INTERVAL_S)
            return self._busy is None or self._busy[0] is not lane or self.stopped

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._work, name=f"device {self.name}", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (lane := self._next_lane()) is not None:
            lane.step()
            with self.lock:
                self._busy = None
                self._ended.notify_all()
            del lane  # a model that is taken off must not live on in this frame

    def _next_lane(self) -> Lane | None:
        """The lane with work that was served longest ago; blocks while none has any, None at the end.

        Turns, not arrivals: thousands of texts for one model must not hold up the one text for another.
        """
        with self.lock:
            while not self._stopping:
                lane = next((lane for lane in self._lanes if lane.waiting), None)
                if lane is not None:
                    self._lanes.remove(lane)
                    self._lanes.append(lane)
                    self._busy = (lane, time.monotonic())
                    return lane
                self.lock.wait()
            return None

    async def _watch_thread(self) -> None:
        while not self.hung:
            await asyncio.sleep(min(WATCH_INTERVAL_S, self._hang_s / 4))
            busy = self._busy
            if self._thread is not None and not self._thread.is_alive():
                self._revive(busy[0] if busy else None)
            elif busy is not None and time.monotonic() - busy[1] > self._hang_s:
                self._give_up()

    def _revive(self, lane: Lane | None) -> None:
        log.error("The thread of %s died; it is started again.", self.name)
        self._metrics.restarts.labels(self.name).inc()
        self._busy = None
        if lane is not None:
            lane.abort(
                Unavailable("The model's thread died while it worked on this request: try again."), everything=False
            )
        self._start_thread()

    def _give_up(self) -> None:
        log.critical(
            "A pass on %s has not returned within %g s: the process must be restarted.", self.name, self._hang_s
        )
        self.hung = True
        with self.lock:
            lanes = list(self._lanes)
        for lane in lanes:
            lane.abort(Unavailable("The model hangs and is being restarted: try again."), everything=True)
        self._on_hang()
