"""A process that runs jobs until it is told to stop: python -m tests.jobs.shepherd URL FILE STALE_S.

That it is up, and each job's start and end, is a line of FILE. A payload `{"seconds": s}` takes that long, and
`{"hangs": n}` never ends in the first n attempts.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from embedway.jobs.job import Job
from embedway.jobs.report import Report
from embedway.jobs.run import Rhythm
from embedway.jobs.worker import Worker
from embedway.store.database import Database

KIND = "count-sheep"


def rhythm(stale_s: float) -> Rhythm:
    return Rhythm(poll_s=0.05, look_s=0.05, beat_s=stale_s / 5, stale_s=stale_s, backoff_s=0.05)


async def serve(url: str, file: Path, stale_s: float) -> None:
    def note(word: str, job_id: str) -> None:
        with file.open("a") as lines:  # one write, appended: whole lines, in order, from all processes
            lines.write(f"{word} {job_id} {os.getpid()} {time.monotonic()}\n")

    async def count(job: Job, report: Report) -> Any:
        note("start", job.id)
        if job.attempts <= job.payload.get("hangs", 0):
            await asyncio.Event().wait()
        await asyncio.sleep(job.payload.get("seconds", 0))
        note("end", job.id)
        return {"pid": os.getpid()}

    database = Database(url)
    worker = Worker(database, {KIND: count}, rhythm=rhythm(stale_s))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    worker.start()
    note("up", "-")
    await stopped.wait()
    await worker.stop()
    await database.stop()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
