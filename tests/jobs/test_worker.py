"""The worker: jobs run, end once, and outlive the processes that run them. On SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from embedway.errors import InvalidInput, JobNotFound, Overloaded, RemoteFailed
from embedway.jobs import queue
from embedway.jobs.job import UNDONE, Job
from embedway.jobs.log import read_lines
from embedway.jobs.report import JobEnded, Report
from embedway.jobs.run import Outcome, Work
from embedway.jobs.worker import Worker
from embedway.store.database import Database
from tests.postgres import Postgres

from .shepherd import KIND, rhythm

ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 -- threads and workers make it true, not an event
            await asyncio.sleep(0.01)


async def seen(worker: Worker, job_id: str, holds: Callable[[Job], bool]) -> Job:
    """Wait until the store says so of a job."""
    async with asyncio.timeout(LIMIT_S):
        while not holds(job := await worker.find(job_id)):  # noqa: ASYNC110 -- the same
            await asyncio.sleep(0.01)
    return job


async def ended(worker: Worker, job_id: str) -> Job:
    """Wait for the end of a job."""
    return await seen(worker, job_id, lambda job: job.status not in UNDONE)


class Scene:
    """A worker that does `work`, for the length of an `async with`; `outcomes` is what it counted."""

    def __init__(self, database: Database, work: Work, **more: Any) -> None:
        self.outcomes: list[tuple[str, Outcome, Any]] = []
        more = {"rhythm": rhythm(5.0), **more}

        def count(job: Job, outcome: Outcome, result: Any) -> None:
            self.outcomes.append((job.kind, outcome, result))

        self.worker = Worker(database, {KIND: work}, count=count, **more)

    async def __aenter__(self) -> Worker:
        self.worker.start()
        return self.worker

    async def __aexit__(self, *error: object) -> None:
        await self.worker.stop()


async def answer(job: Job, report: Report) -> Any:
    return {"asked": job.payload}


def test_a_job_added_here_runs_at_once(database: Database) -> None:
    """Not with the next look at the queue."""

    async def scene() -> None:
        seldom = Scene(database, answer, rhythm=replace(rhythm(5.0), poll_s=60.0))
        async with seldom as worker:
            await asyncio.sleep(0.2)  # it has looked, and pauses
            job = await ended(worker, await worker.add(KIND, "farm", {"sheep": 1}))
        assert (job.status, job.result, job.progress) == ("success", {"asked": {"sheep": 1}}, 1.0)
        assert seldom.outcomes == [(KIND, "success", {"asked": {"sheep": 1}})]

    asyncio.run(scene())


def test_a_job_added_elsewhere_is_found(database: Database) -> None:
    """By polling."""

    async def scene() -> None:
        async with Scene(database, answer) as worker:
            await asyncio.sleep(0.1)
            added = await database.run(partial(queue.add, kind=KIND, namespace="farm", payload={}))
            assert (await ended(worker, added)).status == "success"

    asyncio.run(scene())


def test_only_so_many_at_a_time(database: Database) -> None:
    """Four jobs, of which two may run; a third starts when one has ended."""
    running, most = 0, 0

    async def work(job: Job, report: Report) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    async def scene() -> None:
        async with Scene(database, work, concurrency=2) as worker:
            for added in [await worker.add(KIND, "farm", {}) for _ in range(4)]:
                await ended(worker, added)

    asyncio.run(scene())
    assert most == 2


@pytest.mark.parametrize(
    ("error", "status", "attempts", "said"),
    [
        (RemoteFailed("The flock does not answer."), "failed", 3, "The flock does not answer."),
        (RuntimeError("a secret"), "failed", 3, "The server failed on this job."),
        (asyncio.CancelledError(), "failed", 3, "The server failed on this job."),
        (InvalidInput("No sheep."), "failed", 1, "No sheep."),
    ],
)
def test_what_fails_is_tried_again_unless_the_caller_is_at_fault(
    database: Database, error: BaseException, status: str, attempts: int, said: str
) -> None:
    """With a pause that grows, as often as was asked for; what the job says is one sentence."""
    tried_s: list[float] = []

    async def work(job: Job, report: Report) -> None:
        tried_s.append(time.monotonic())
        raise error

    async def scene() -> None:
        async with Scene(database, work) as worker:
            job = await ended(worker, await worker.add(KIND, "farm", {}))
        assert (job.status, job.attempts, job.error) == (status, attempts, said)

    asyncio.run(scene())
    pauses = [after - before for before, after in itertools.pairwise(tried_s)]
    assert len(pauses) == attempts - 1
    if pauses:
        assert pauses[0] >= 0.05
        assert pauses[1] >= 0.1


def test_a_second_attempt_may_succeed(database: Database) -> None:
    """And what the first one said is forgotten."""

    async def work(job: Job, report: Report) -> int:
        if job.attempts == 1:
            raise RemoteFailed("Asleep.")
        return job.attempts

    async def scene() -> None:
        busy = Scene(database, work)
        async with busy as worker:
            job = await ended(worker, await worker.add(KIND, "farm", {}))
        assert (job.status, job.result, job.error) == ("success", 2, None)
        assert [outcome for _, outcome, _ in busy.outcomes] == ["retried", "success"]

    asyncio.run(scene())


def test_overload_is_waited_for_as_long_as_it_says(database: Database) -> None:
    """Where that is longer than the usual pause."""

    async def work(job: Job, report: Report) -> None:
        raise Overloaded("Full.", 30)

    async def scene() -> None:
        busy = Scene(database, work)
        async with busy as worker:
            added = await worker.add(KIND, "farm", {})
            await until(lambda: bool(busy.outcomes))
            job = await worker.find(added)
            assert (job.status, job.error) == ("pending", "Full.")
            assert 25 < job.run_after_s - time.time() < 31

    asyncio.run(scene())


@pytest.mark.parametrize("result", [object(), float("nan")])
def test_a_result_that_is_no_json_is_a_failure(database: Database, result: object) -> None:
    """Of the work, which is not left running."""

    async def work(job: Job, report: Report) -> object:
        return result

    async def scene() -> None:
        async with Scene(database, work) as worker:
            assert (await ended(worker, await worker.add(KIND, "farm", {}, 1))).status == "failed"

    asyncio.run(scene())


def test_progress_and_log_are_seen_while_it_runs(database: Database) -> None:
    """Also when the work sits on a thread; the last lines come with the end."""
    looked_at = threading.Event()

    def count(report: Report) -> str:
        report.progress(0.5)
        report.line("half of them")
        assert looked_at.wait(LIMIT_S)
        report.line("all of them")
        return "sheep"

    async def work(job: Job, report: Report) -> str:
        return await asyncio.to_thread(count, report)

    async def scene() -> None:
        async with Scene(database, work) as worker:
            added = await worker.add(KIND, "farm", {})
            job = await seen(worker, added, lambda job: job.progress == 0.5)
            assert job.status == "running"
            lines = await database.run(partial(read_lines, job_id=added))
            assert [line.text for line in lines] == ["half of them"]
            looked_at.set()
            assert (await ended(worker, added)).result == "sheep"
            lines = await database.run(partial(read_lines, job_id=added))
            assert [line.text for line in lines] == ["half of them", "all of them"]

    asyncio.run(scene())


def test_a_cancelled_job_ends_soon(database: Database) -> None:
    """What awaits is cancelled; a thread is told when it reports. Nothing of it is written any more."""
    told: list[str] = []

    def count(report: Report) -> None:
        try:
            while True:
                report.progress(0.1)
                time.sleep(0.01)
        except JobEnded:
            told.append("thread")

    async def work(job: Job, report: Report) -> None:
        thread = asyncio.get_running_loop().run_in_executor(None, count, report)
        try:
            await asyncio.Event().wait()
        finally:
            told.append("task")
            await thread

    async def scene() -> None:
        busy = Scene(database, work)
        async with busy as worker:
            added = await worker.add(KIND, "farm", {})
            await seen(worker, added, lambda job: job.status == "running")
            await worker.cancel(added)
            await until(lambda: len(told) == 2)
            await until(lambda: bool(busy.outcomes))
            job = await worker.find(added)
            assert (job.status, job.error) == ("cancelled", "It was cancelled.")
        assert [outcome for _, outcome, _ in busy.outcomes] == ["lost"]

    asyncio.run(scene())


def test_stopping_gives_jobs_back(database: Database) -> None:
    """The next worker has them at once, and no attempt is counted."""
    started: list[str] = []

    async def endless(job: Job, report: Report) -> None:
        started.append(job.id)
        await asyncio.Event().wait()

    async def scene() -> None:
        busy = Scene(database, endless)
        async with busy as worker:
            added = await worker.add(KIND, "farm", {"sheep": 2}, 1)
            await until(lambda: started == [added])
        assert [outcome for _, outcome, _ in busy.outcomes] == ["returned"]
        async with Scene(database, answer) as worker:
            job = await ended(worker, added)
            assert (job.status, job.attempts, job.result) == ("success", 1, {"asked": {"sheep": 2}})

    asyncio.run(scene())


def test_old_jobs_are_removed(database: Database) -> None:
    """By the worker, after the time that they are kept."""

    async def scene() -> None:
        async with Scene(database, answer, rhythm=replace(rhythm(5.0), keep_s=0.1, sweep_s=0.05)) as worker:
            added = await worker.add(KIND, "farm", {})
            with pytest.raises(JobNotFound):
                await seen(worker, added, lambda job: False)

    asyncio.run(scene())


def test_the_end_is_written_when_the_store_is_back(postgres: Postgres) -> None:
    """The work goes on while the database is gone, and nobody else has taken it."""
    done = 0

    async def work(job: Job, report: Report) -> str:
        nonlocal done
        postgres.stop()
        done += 1
        return "counted in the dark"

    async def scene() -> None:
        database = Database(postgres.new_database())
        async with Scene(database, work) as worker:
            added = await worker.add(KIND, "farm", {})
            await until(lambda: done == 1)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(postgres.start)
            job = await ended(worker, added)
            assert (job.status, job.result, job.attempts) == ("success", "counted in the dark", 1)
        await database.stop()

    asyncio.run(scene())
    assert done == 1


# Several processes ----------------------------------------------------------------------------------------------------


class Flock:
    """Processes that run jobs, and what they wrote."""

    def __init__(self, url: str, file: Path) -> None:
        self._url = url
        self._file = file
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, stale_s: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.jobs.shepherd", self._url, str(self._file), str(stale_s)]
        process = subprocess.Popen(command, cwd=ROOT)
        self._processes.append(process)
        return process

    def lines(self) -> list[tuple[str, str, int, float]]:
        """Word, job, process, time on the machine's clock; in that order."""
        text = self._file.read_text() if self._file.exists() else ""
        rows = [line.split() for line in text.splitlines()]
        return [(word, job, int(pid), float(at_s)) for word, job, pid, at_s in rows]

    def wait(self, holds: Callable[[], bool]) -> None:
        until_s = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < until_s, self.lines()
            time.sleep(0.02)

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(LIMIT_S)


@pytest.fixture
def flock(url: str, tmp_path: Path) -> Iterator[Flock]:
    made = Flock(url, tmp_path / "lines")
    yield made
    made.stop()


def add(database: Database, payload: Mapping[str, Any]) -> str:
    return database.run_now(partial(queue.add, kind=KIND, namespace="farm", payload=payload))


def find(database: Database, job_id: str) -> Job:
    return database.run_now(partial(queue.find, job_id=job_id))


def test_two_processes_never_run_one_job_and_one_outlives_the_other(database: Database, flock: Flock) -> None:
    """Forty jobs, two processes with four places each: every job starts once and ends once, and both had some. Then one
    is killed in the middle of a job: the other takes it over when the heartbeats are missed, and ends it.
    """
    processes = {process.pid: process for process in (flock.start(stale_s=2.0), flock.start(stale_s=2.0))}
    flock.wait(lambda: {pid for _, _, pid, _ in flock.lines()} == set(processes))
    ids = [add(database, {"seconds": 0.15}) for _ in range(40)]
    flock.wait(lambda: {find(database, one).status for one in ids} == {"success"})
    assert sorted(job for word, job, *_ in flock.lines() if word == "start") == sorted(ids)
    assert sorted(job for word, job, *_ in flock.lines() if word == "end") == sorted(ids)
    assert {pid for word, _, pid, _ in flock.lines() if word == "start"} == set(processes)

    hanging = add(database, {"hangs": 1})
    flock.wait(lambda: hanging in {job for _, job, *_ in flock.lines()})
    time.sleep(0.3)  # the other one looks twenty times a second, and leaves alone what is alive
    ((word, _, victim, _),) = [line for line in flock.lines() if line[1] == hanging]
    assert word == "start"
    processes[victim].send_signal(signal.SIGKILL)
    processes[victim].wait()
    (survivor,) = set(processes) - {victim}
    flock.wait(lambda: find(database, hanging).status == "success")
    then = [(word, pid) for word, job, pid, _ in flock.lines() if job == hanging]
    assert then == [("start", victim), ("start", survivor), ("end", survivor)]
    job = find(database, hanging)
    assert (job.attempts, job.result) == (2, {"pid": survivor})
