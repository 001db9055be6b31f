"""The queue: one claim at a time, at least once, ended once. On SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.event import listen

from embedway.errors import Conflict, InvalidInput, JobNotFound, Overloaded
from embedway.jobs import queue
from embedway.jobs.job import MOST_LINES, Job
from embedway.jobs.log import LINE_CHARACTERS, read_lines, write_lines
from embedway.jobs.queue import Bounds
from embedway.store.database import Database
from embedway.store.schema import job as table

T = TypeVar("T")
Do = Callable[..., Any]
KIND = "count-sheep"


@pytest.fixture
def do(database: Database) -> Do:
    """Call a function of the queue in a transaction of its own."""
    return lambda function, *args, **kwargs: database.run_now(lambda connection: function(connection, *args, **kwargs))


def take(do: Do, stale_s: float = 30.0, claimant: str = "me") -> Job:
    job = do(queue.claim, [KIND], claimant, stale_s)
    assert job is not None
    return job


def stored_payload(connection: Connection, job_id: str) -> str | None:
    """As it lies in the table."""
    return connection.scalar(select(table.c.payload).where(table.c.id == job_id))


def test_looking_for_a_job_leaves_its_payload_where_it_is(do: Do) -> None:
    """Whoever waits for a task asks often, and an image may be megabytes."""
    job_id = do(queue.add, KIND, "farm", {"image": "x"})

    def look(connection: Connection) -> list[str]:
        asked: list[str] = []
        listen(connection, "before_cursor_execute", lambda c, cursor, statement, *more: asked.append(statement))
        queue.find(connection, job_id)
        return asked

    (statement,) = do(look)
    assert "job.payload" not in statement


def test_a_job_from_end_to_end(do: Do) -> None:
    """Pending, running, done; what was asked goes with the end, what came out stays."""
    job_id = do(queue.add, KIND, "farm", {"sheep": "ünï\0\ud800"})
    assert job_id.startswith("count-sheep-")
    found = do(queue.find, job_id)
    assert (found.status, found.attempts, found.payload) == ("pending", 0, None)
    job = take(do)
    assert (job.id, job.status, job.attempts, job.namespace) == (job_id, "running", 1, "farm")
    assert job.payload == {"sheep": "ünï\0\ud800"}
    assert do(queue.beat, job, 0.5)
    assert do(queue.find, job_id).progress == 0.5
    assert do(queue.finish, job, {"counted": [1, None]})
    ended = do(queue.find, job_id)
    assert (ended.status, ended.result, ended.progress) == ("success", {"counted": [1, None]}, 1.0)
    assert do(stored_payload, job_id) == "null"
    assert do(queue.claim, [KIND], "me") is None


def test_the_oldest_due_job_goes_first(do: Do, database: Database) -> None:
    """What is due later waits, whenever it was added; kinds that were not asked for are left."""
    ids = [do(queue.add, KIND, "farm", {}) for _ in range(3)]
    do(queue.add, "other", "farm", {})
    later = update(table).where(table.c.id == ids[0]).values(run_after_s=time.time() + 60)
    database.run_now(lambda connection: connection.execute(later))
    assert [take(do).id, take(do).id] == ids[1:]
    assert do(queue.claim, [KIND], "me") is None
    assert not do(queue.waits, [KIND])
    assert do(queue.waits, ["other"])


def test_many_who_claim_at_once_get_different_jobs(do: Do) -> None:
    """Four threads with a connection each: every job is claimed by one."""
    ids = {do(queue.add, KIND, "farm", {}) for _ in range(30)}
    claimed: list[str] = []

    def claim_all(name: str) -> None:
        while job := do(queue.claim, [KIND], name):
            claimed.append(job.id)

    threads = [threading.Thread(target=claim_all, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(claimed) == sorted(ids)


def test_a_claim_without_heartbeat_is_taken_over(do: Do) -> None:
    """And from then on the former claimant can write nothing."""
    do(queue.add, KIND, "farm", {})
    first = take(do, claimant="slow")
    assert do(queue.claim, [KIND], "quick", 30.0) is None
    time.sleep(0.05)
    assert do(queue.waits, [KIND], 0.04)
    second = take(do, 0.04, "quick")
    assert (second.id, second.attempts) == (first.id, 2)
    assert not do(queue.holds, first)
    assert not do(queue.beat, first, 0.9)
    assert not do(queue.finish, first, "from the dead")
    assert not do(queue.fail, first, "from the dead", None)
    assert not do(queue.give_back, first)
    assert do(queue.holds, second)
    assert do(queue.finish, second, "alive")
    assert do(queue.find, first.id).result == "alive"


def test_a_heartbeat_keeps_a_claim(do: Do) -> None:
    """However long ago it was made."""
    do(queue.add, KIND, "farm", {})
    job = take(do)
    time.sleep(0.3)
    assert do(queue.beat, job, 0.1)
    assert do(queue.claim, [KIND], "other", 0.25) is None


def test_a_job_that_ends_its_process_every_time_is_failed(do: Do) -> None:
    """After as many claims as it has attempts; the jobs behind it are not held up."""
    bad = do(queue.add, KIND, "farm", {}, max_attempts=2)
    assert take(do).id == bad
    time.sleep(0.03)
    assert take(do, 0.01).id == bad
    good = do(queue.add, KIND, "farm", {})
    time.sleep(0.03)
    assert take(do, 0.01).id == good
    ended = do(queue.find, bad)
    assert (ended.status, ended.error) == ("failed", "The process that ran it ended 2 times before it was done.")


def test_a_failure_is_tried_again_later_and_then_is_final(do: Do) -> None:
    """It waits for as long as was said; the last attempt's failure ends it."""
    job_id = do(queue.add, KIND, "farm", {}, max_attempts=2)
    assert do(queue.fail, take(do), "no grass", 0.05)
    waiting = do(queue.find, job_id)
    assert (waiting.status, waiting.error) == ("pending", "no grass")
    assert do(stored_payload, job_id) == "{}"
    assert do(queue.claim, [KIND], "me") is None
    time.sleep(0.06)
    assert do(queue.fail, take(do), "no\0 water", 0.05)
    assert (do(queue.find, job_id).status, do(queue.find, job_id).error) == ("failed", "no water")


def test_a_failure_that_need_not_be_tried_again(do: Do) -> None:
    """Ends the job at its first attempt."""
    job_id = do(queue.add, KIND, "farm", {})
    do(queue.fail, take(do), "no such sheep", None)
    assert do(queue.find, job_id).status == "failed"


def test_a_job_given_back_has_lost_no_attempt(do: Do) -> None:
    """It is due at once, and its progress is kept."""
    job_id = do(queue.add, KIND, "farm", {}, max_attempts=1)
    job = take(do)
    do(queue.beat, job, 0.25)
    assert do(queue.give_back, job)
    again = take(do)
    assert (again.id, again.attempts, again.progress) == (job_id, 1, 0.25)


def test_cancelling(do: Do) -> None:
    """A job that waits never runs; one that runs loses its claim; one that has ended cannot be cancelled."""
    waiting, running = do(queue.add, KIND, "farm", {}), do(queue.add, KIND, "farm", {})
    do(queue.cancel, waiting)
    job = take(do)
    assert job.id == running
    do(queue.cancel, running, "farm")
    assert not do(queue.holds, job)
    assert not do(queue.finish, job, 1)
    assert {do(queue.find, one).status for one in (waiting, running)} == {"cancelled"}
    with pytest.raises(Conflict, match="has ended already: cancelled"):
        do(queue.cancel, running)
    with pytest.raises(JobNotFound):
        do(queue.cancel, running, "elsewhere")


@pytest.mark.parametrize("job_id", ["count-sheep-0", "", "x" * 500, "\0", "\ud800", "'; DROP TABLE job"])
def test_an_unknown_job(do: Do, job_id: str) -> None:
    """Whatever is written in place of an id."""
    with pytest.raises(JobNotFound):
        do(queue.find, job_id)


def test_a_job_of_another_namespace_is_not_found(do: Do) -> None:
    """Nor is what its id looks like told."""
    job_id = do(queue.add, KIND, "farm", {})
    assert do(queue.find, job_id, "farm").id == job_id
    for other in ("meadow", "\0", "\ud800"):
        with pytest.raises(JobNotFound):
            do(queue.find, job_id, other)


def test_the_queue_is_bounded(do: Do) -> None:
    """Of one namespace and of all; jobs that run count, jobs that ended do not."""
    bounds = Bounds(namespace=2, everyone=3)
    for _ in range(2):
        do(queue.add, KIND, "farm", {}, bounds=bounds)
    job = take(do)
    with pytest.raises(Overloaded, match="2 jobs of 'farm'"):
        do(queue.add, KIND, "farm", {}, bounds=bounds)
    do(queue.add, KIND, "meadow", {}, bounds=bounds)
    with pytest.raises(Overloaded, match="3 jobs are not done"):
        do(queue.add, KIND, "hill", {}, bounds=bounds)
    do(queue.finish, job, None)
    do(queue.add, KIND, "farm", {}, bounds=bounds)


@pytest.mark.parametrize("namespace", ["\0", "a\nb", "\ud800"])
def test_a_namespace_that_cannot_be_kept(do: Do, namespace: str) -> None:
    """Is refused as the caller's fault."""
    with pytest.raises(InvalidInput):
        do(queue.add, KIND, namespace, {})


def test_jobs_that_ended_are_removed_in_time(do: Do) -> None:
    """With their logs, and only they."""
    old, undone = do(queue.add, KIND, "farm", {}), do(queue.add, KIND, "farm", {})
    do(write_lines, old, ["one sheep"])
    do(queue.finish, take(do), 1)
    assert do(queue.remove_ended) == 0
    time.sleep(0.02)
    assert do(queue.remove_ended, 0.01) == 1
    with pytest.raises(JobNotFound):
        do(queue.find, old)
    assert do(read_lines, old) == []
    assert do(queue.find, undone).status == "pending"


def test_a_list_of_jobs(do: Do) -> None:
    """The newest first, of one namespace or status where asked; without what may be large."""
    ids = [do(queue.add, KIND, namespace, {"image": "x"}) for namespace in ("farm", "farm", "meadow")]
    do(queue.finish, take(do), {"text": "x"})
    assert [job.id for job in do(queue.list_jobs)] == ids[::-1]
    assert [job.id for job in do(queue.list_jobs, "farm")] == ids[1::-1]
    (done,) = do(queue.list_jobs, None, "success")
    assert (done.id, done.payload, done.result) == (ids[0], None, None)
    assert len(do(queue.list_jobs, most=2)) == 2


def test_the_log_is_bounded(do: Do) -> None:
    """Lines are cut, and the oldest go; each job has its own."""
    job_id, other = do(queue.add, KIND, "farm", {}), do(queue.add, KIND, "farm", {})
    do(write_lines, job_id, ["a\0b", "x" * 5000])
    do(write_lines, other, ["mine"])
    do(write_lines, job_id, [])
    lines = do(read_lines, job_id)
    assert [line.text for line in lines] == ["ab", "x" * LINE_CHARACTERS]
    assert abs(lines[0].at_s - time.time()) < 60
    do(write_lines, job_id, [str(number) for number in range(MOST_LINES - 1)])
    kept = [line.text for line in do(read_lines, job_id)]
    assert len(kept) == MOST_LINES
    assert kept[:2] == ["x" * LINE_CHARACTERS, "0"]
    assert [line.text for line in do(read_lines, other)] == ["mine"]


def test_an_addition_that_is_rolled_back_is_none(database: Database) -> None:
    """The job belongs to the transaction that adds it."""

    def add_and_fail(connection: Connection) -> None:
        queue.add(connection, KIND, "farm", {})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.run_now(add_and_fail)
    assert database.run_now(partial(queue.claim, kinds=[KIND], claimant="me")) is None
