"""Runs jobs beside the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from embedway.errors import StoreUnavailable
from embedway.jobs import queue
from embedway.jobs.job import Job
from embedway.jobs.run import RHYTHM, Outcome, Rhythm, Run, Work
from embedway.store.database import Database

log = logging.getLogger(__name__)

CONCURRENCY = 4


class Worker:
    """Up to `concurrency` jobs at a time of the kinds of `work`, on the event loop; other kinds are left to others.

    `count` is told how each run ended, and the result of one that is a success.
    """

    def __init__(
        self,
        database: Database,
        work: Mapping[str, Work],
        concurrency: int = CONCURRENCY,
        rhythm: Rhythm = RHYTHM,
        count: Callable[[Job, Outcome, Any], None] = lambda job, outcome, result: None,
    ) -> None:
        self._database = database
        self._work = work
        self._concurrency = concurrency
        self._rhythm = rhythm
        self._count = count
        self._claimant = f"{socket.gethostname()}:{os.getpid()}"
        self._news = asyncio.Event()
        self._stopping = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._looping: asyncio.Task[None] | None = None
        self._sweep_at_s = 0.0

    def start(self) -> None:
        """Begin to look for jobs. Call it once the store is open."""
        self._looping = asyncio.create_task(self._loop(), name="jobs")

    async def stop(self) -> None:
        """Claim nothing more; jobs that run are interrupted and given back to the queue."""
        self._stopping.set()
        self.wake()
        if self._looping:
            await self._looping
        if self._running:
            await asyncio.wait(self._running)

    def wake(self) -> None:
        """Look now: there is a new job."""
        self._news.set()

    async def add(self, kind: str, namespace: str, payload: Mapping[str, Any], max_attempts: int = 3) -> str:
        """Put a job in the queue, and look at once. Raises as `queue.add` does, and `StoreUnavailable`."""
        add = partial(queue.add, kind=kind, namespace=namespace, payload=payload, max_attempts=max_attempts)
        job_id = await self._database.run(add)
        self.wake()
        return job_id

    async def find(self, job_id: str, namespace: str | None = None) -> Job:
        """Raises `JobNotFound`, `StoreUnavailable`."""
        return await self._database.run(partial(queue.find, job_id=job_id, namespace=namespace), reads=True)

    async def cancel(self, job_id: str, namespace: str | None = None) -> None:
        """Raises `JobNotFound`, `Conflict`, `StoreUnavailable`."""
        await self._database.run(partial(queue.cancel, job_id=job_id, namespace=namespace))

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            job = await self._look()
            if job is None:
                await self._pause()
                continue
            task = asyncio.create_task(self._run(job), name=job.id)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _look(self) -> Job | None:
        """The next job, if there is one and a place for it."""
        try:
            await self._sweep()
            return await self._claim() if len(self._running) < self._concurrency else None
        except StoreUnavailable:  # the store has logged it
            return None
        except Exception:
            log.exception("Jobs cannot be claimed.")
            return None

    async def _claim(self) -> Job | None:
        kinds, stale_s = tuple(self._work), self._rhythm.stale_s
        if not await self._database.run(partial(queue.waits, kinds=kinds, stale_s=stale_s), reads=True):
            return None
        claim = partial(queue.claim, kinds=kinds, claimant=self._claimant, stale_s=stale_s)
        return await self._database.run(claim)

    async def _sweep(self) -> None:
        """Remove old jobs, now and then."""
        if time.monotonic() >= self._sweep_at_s:
            self._sweep_at_s = time.monotonic() + self._rhythm.sweep_s
            await self._database.run(partial(queue.remove_ended, keep_s=self._rhythm.keep_s))

    async def _pause(self) -> None:
        """Until there is news; at most for `poll_s`, less a random part, so that processes do not look in step."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), self._rhythm.poll_s * random.uniform(0.5, 1))  # noqa: S311 -- no secret

    async def _run(self, job: Job) -> None:
        try:
            run = Run(self._database, job, self._work[job.kind], self._rhythm, self._stopping)
            outcome = await run()
            log.info("The job %s: %s in attempt %d.", job.id, outcome, job.attempts)
            self._count(job, outcome, run.result if outcome == "success" else None)
        except Exception:
            log.exception("The end of the job %s could not be written: others will take it over.", job.id)
        finally:
            self.wake()
