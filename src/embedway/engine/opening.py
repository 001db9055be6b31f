"""Opening a model and closing it: the thread it is opened on, its device, its queue."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from embedway.backends.base import Backend
from embedway.backends.remote import REMOTE_DEVICE, RemoteBackend
from embedway.engine.batch import Budget
from embedway.engine.batcher import Batcher, Limits
from embedway.engine.device import STOP_S, Device
from embedway.engine.entry import Loaded
from embedway.engine.memory import Reservation
from embedway.engine.readers import Readers
from embedway.observe import Metrics
from embedway.types import ModelSpec

log = logging.getLogger(__name__)

T = TypeVar("T")
POLL_S = 0.01


class Opening:
    """Makes `Loaded` of specs. `open_warm` opens a backend and runs it once; it blocks."""

    def __init__(
        self,
        open_warm: Callable[[ModelSpec], Backend],
        limits: Limits,
        readers: Readers,
        hang_s: float,
        on_hang: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self.all: set[Loaded] = set()
        self._devices: dict[str, Device] = {}
        self._own: set[Device] = set()  # those of remote models, one for each copy
        self._threads: set[asyncio.Future[Any]] = set()
        self._open_warm = open_warm
        self._limits = limits
        self._readers = readers
        self._hang_s = hang_s
        self._on_hang = on_hang
        self._metrics = metrics

    @property
    def alive(self) -> bool:
        return all(device.alive for device in (*self._devices.values(), *self._own))

    @property
    def pending_items(self) -> int:
        """Accepted and not yet answered, by all copies together."""
        return sum(loaded.batcher.pending_items for loaded in self.all)

    async def open(self, spec: ModelSpec, reservation: Reservation) -> Loaded:
        """Open and warm. The reservation is the copy's, or is released when this raises: whatever `open_warm` does.

        A thread cannot be cancelled: what it opens after its caller was, is closed as soon as it is there.
        """
        started_s = time.monotonic()
        opening = self._on_thread(self._open_warm, spec)
        try:
            backend = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(partial(_discard, reservation))
            raise
        except BaseException:
            reservation.release()
            raise
        reservation.settle()
        device = self._device(backend.facts.device)
        batcher = Batcher(spec.label, backend, device, self._readers, self._limits_of(backend), self._metrics)
        loaded = Loaded(backend, batcher, device, reservation)
        self.all.add(loaded)
        device.add(batcher)
        self._report(spec.label, backend, time.monotonic() - started_s)
        return loaded

    async def close(self, loaded: Loaded) -> None:
        """Wait for those who use the copy, then close it and give its memory back.

        A copy whose pass hangs is left as it is: the process must end, and its memory is not free.
        """
        while loaded.users:  # noqa: ASYNC110 -- no one's deadline depends on it
            await asyncio.sleep(POLL_S)
        while loaded.device.runs(loaded.batcher):  # noqa: ASYNC110 -- rather than on a thread that others need
            await asyncio.sleep(POLL_S)
        if await asyncio.to_thread(loaded.device.remove, loaded.batcher):
            while loaded.batcher.preparing:  # noqa: ASYNC110 -- for callers who have left; never for long
                await asyncio.sleep(POLL_S)
            self.all.discard(loaded)
            await asyncio.shield(self._on_thread(loaded.close))
            loaded.reservation.release()
            await self._let_go(loaded.device)

    async def stop(self) -> None:
        """End the devices, then close every copy whose device has ended.

        What is just being opened or closed gets a moment; what is opened later still is closed by its thread's end.
        """
        await asyncio.gather(*(device.stop() for device in (*self._devices.values(), *self._own)))
        for loaded in list(self.all):
            if loaded.device.stopped:
                self.all.discard(loaded)
                self._on_thread(loaded.backend.close)
                loaded.reservation.release()
        if self._threads:
            await asyncio.wait(self._threads, timeout=STOP_S)

    def _on_thread(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self._threads.add(future)
        future.add_done_callback(self._threads.discard)
        return future

    def _report(self, name: str, backend: Backend, took_s: float) -> None:
        facts = backend.facts
        self._metrics.load_seconds.labels(name).observe(took_s)
        log.info(
            "Model '%s' is ready after %.1f s: %s %s, %d dimensions, %d tokens.",
            *(name, took_s, facts.backend, facts.dtype, facts.dimensions, facts.max_tokens),
        )
        if agreement := facts.agreement:
            log.info("Model '%s' in %s and in fp32, over %d texts: %s.", name, facts.dtype, agreement.texts, agreement)

    def _limits_of(self, backend: Backend) -> Limits:
        """Requests to another machine take no memory or processor here by their tokens: their number is what counts."""
        if not isinstance(backend, RemoteBackend):
            return self._limits
        items = min(self._limits.budget.items, backend.most_items)
        return dataclasses.replace(self._limits, budget=Budget(self._limits.queue_tokens, items))

    def _device(self, name: str) -> Device:
        """The device of that name, started with its first model; each copy of a remote model has one of its own.

        What waits for another machine hangs in no native code, and its backend bounds the waiting.
        """
        if name.startswith(REMOTE_DEVICE):
            device = Device(name, math.inf, self._on_hang, self._metrics)
            self._own.add(device)
        elif name in self._devices:
            return self._devices[name]
        else:
            device = self._devices[name] = Device(name, self._hang_s, self._on_hang, self._metrics)
        device.start()
        return device

    async def _let_go(self, device: Device) -> None:
        """End the thread that was a remote copy's own."""
        if device in self._own:
            self._own.discard(device)
            await device.stop()


def _discard(reservation: Reservation, opening: asyncio.Future[Backend]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
    reservation.release()
