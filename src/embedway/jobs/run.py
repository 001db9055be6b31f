"""One job from its claim to its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sqlalchemy import Connection

from embedway.errors import EmbedwayError, Overloaded, StoreUnavailable
from embedway.jobs import queue
from embedway.jobs.job import Job
from embedway.jobs.log import write_lines
from embedway.jobs.report import JobEnded, Report
from embedway.store.database import Database

log = logging.getLogger(__name__)

Work = Callable[[Job, Report], Awaitable[Any]]
"""What a kind of job does: it returns a JSON value, or raises. It may run more than once for one job.

An `EmbedwayError` that is the caller's fault ends the job; after any other error it is tried again.
"""
Outcome = Literal["success", "failed", "retried", "returned", "lost"]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """All in seconds. `poll_s` at most between two looks at an idle queue, `look_s` between two looks at a running job,
    `beat_s` between its heartbeats, `stale_s` after the last of them another may take it. The first retry comes after
    `backoff_s`, each further one after twice the time, up to `longest_backoff_s`. Jobs that ended are kept for
    `keep_s`, and looked for every `sweep_s`. `stop_s` is what work gets to end when it is told to.
    """

    poll_s: float = 1.0
    look_s: float = 1.0
    beat_s: float = 5.0
    stale_s: float = queue.STALE_S
    backoff_s: float = 2.0
    longest_backoff_s: float = 60.0
    keep_s: float = queue.KEEP_S
    sweep_s: float = 600.0
    stop_s: float = 5.0


RHYTHM = Rhythm()


class Run:
    """One attempt at a job. `stopping` tells that the server is about to end; `result` is what the work returned."""

    def __init__(self, database: Database, job: Job, work: Work, rhythm: Rhythm, stopping: asyncio.Event) -> None:
        self._database = database
        self._job = job
        self._work = work
        self._rhythm = rhythm
        self._stopping = stopping
        self._report = Report(job.progress)
        self.result: Any = None

    async def __call__(self) -> Outcome:
        """Until the work is done, the claim is lost, or the server stops: whichever comes first."""
        working = asyncio.create_task(self._do(), name=self._job.id)
        keeping = asyncio.create_task(self._keep())
        stopping = asyncio.create_task(self._stopping.wait())
        tasks = (working, keeping, stopping)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        lost, interrupted = keeping.done(), not working.done()
        self._report.end()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=self._rhythm.stop_s)
        if lost:
            return "lost"
        if interrupted and _is_unfinished(working):
            return await self._settle(partial(queue.give_back, job=self._job), "returned")
        return await self._end(working)

    async def _do(self) -> Any:
        result = await self._work(self._job, self._report)
        json.dumps(result, allow_nan=False)  # what is no JSON is a failure of the work, not of the store
        return result

    async def _keep(self) -> None:
        """Keep the claim; returns when it is lost."""
        held, beaten_s, written = True, time.monotonic(), self._report.done
        while held:
            await asyncio.sleep(self._rhythm.look_s)
            lines, done = self._report.take_lines(), self._report.done
            beats = bool(lines) or done != written or time.monotonic() - beaten_s >= self._rhythm.beat_s
            try:
                held = await self._look(beats, done, lines)
            except Exception as error:  # the work goes on: when the store is back, the claim may still be ours
                self._report.put_back(lines)
                log.warning("The heartbeat of the job %s could not be written: %s", self._job.id, error)
            else:
                beaten_s, written = (time.monotonic(), done) if beats else (beaten_s, written)

    async def _look(self, beats: bool, done: float, lines: Sequence[str]) -> bool:
        if not beats:
            return await self._database.run(partial(queue.holds, job=self._job), reads=True)
        return await self._database.run(self._with_lines(partial(queue.beat, job=self._job, progress=done), lines))

    async def _end(self, working: asyncio.Task[Any]) -> Outcome:
        error = asyncio.CancelledError() if working.cancelled() else working.exception()
        if error is None:
            self.result = working.result()
            return await self._settle(partial(queue.finish, job=self._job, result=self.result), "success")
        said, wait_s = self._judge(error)
        outcome: Outcome = "failed" if wait_s is None or self._job.attempts >= self._job.max_attempts else "retried"
        return await self._settle(partial(queue.fail, job=self._job, error=said, retry_in_s=wait_s), outcome)

    def _judge(self, error: BaseException) -> tuple[str, float | None]:
        """What is said of the error, and after how long to try again; None where that would be in vain."""
        rhythm, attempts = self._rhythm, self._job.attempts
        wait_s = min(rhythm.longest_backoff_s, rhythm.backoff_s * 2 ** min(attempts - 1, 30))
        if isinstance(error, Overloaded):
            return error.message, max(wait_s, error.retry_after_s)
        if isinstance(error, EmbedwayError):
            return error.message, wait_s if error.status >= 500 else None
        log.error("The work of the job %s failed.", self._job.id, exc_info=error)
        return "The server failed on this job.", wait_s

    async def _settle(self, write: Callable[[Connection], bool], outcome: Outcome) -> Outcome:
        """Write how it went, as often as it takes while the store is away; a server that stops tries once."""
        whole = self._with_lines(write, self._report.take_lines())
        while True:
            try:
                return outcome if await self._database.run(whole) else "lost"
            except StoreUnavailable as error:
                if self._stopping.is_set():
                    log.warning("The job %s is left to others: %s", self._job.id, error.message)
                    return "lost"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._rhythm.look_s)

    def _with_lines(self, write: Callable[[Connection], bool], lines: Sequence[str]) -> Callable[[Connection], bool]:
        def whole(connection: Connection) -> bool:
            held = write(connection)
            if held:
                write_lines(connection, self._job.id, lines)
            return held

        return whole


def _is_unfinished(working: asyncio.Task[Any]) -> bool:
    return not working.done() or working.cancelled() or isinstance(working.exception(), JobEnded)
