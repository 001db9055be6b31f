"""The queue of jobs: rows of the table `job`, which the processes that share a store take one at a time.

A job is delivered at least once. Whoever claims it writes heartbeats; when they stop for `stale_s`, the next who looks
takes it over. What a claimant writes holds only while the claim is still its own, so a job ends once, and a process
that was thought dead cannot overwrite what its successor did.

Every function works within the caller's transaction. Times are seconds since 1970 by one clock: the database server's,
or for SQLite, whose processes share a machine, the machine's.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    extract,
    func,
    insert,
    null,
    or_,
    select,
    update,
)

from embedway.errors import Conflict, InvalidInput, JobNotFound, Overloaded
from embedway.jobs.job import UNDONE, Job, Status
from embedway.store.schema import job as jobs
from embedway.store.schema import job_log as log_lines

STALE_S = 30.0
"""Without a heartbeat for so long, a job is anyone's."""
KEEP_S = 7 * 24 * 3600.0
"""A job that has ended is kept for so long."""
_RETRY_AFTER_S = 5
_ID = re.compile(r"[a-z0-9-]{1,100}")
_GONE = "The process that ran it ended {count} times before it was done."


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many jobs may be undone, of one namespace and of all; processes that add at once may exceed them by a few."""

    namespace: int = 100
    everyone: int = 1000


BOUNDS = Bounds()


def add(
    connection: Connection,
    kind: str,
    namespace: str,
    payload: Mapping[str, Any],
    max_attempts: int = 3,
    bounds: Bounds = BOUNDS,
) -> str:
    """Put a job in the queue, due at once; its id begins with its kind. Raises `Overloaded`, `InvalidInput`."""
    if not namespace.isprintable():
        raise InvalidInput("The name of a workspace holds a character that cannot be kept.")
    _check_room(connection, namespace, bounds)
    now_s = read_clock(connection)
    job_id = f"{kind}-{secrets.token_hex(16)}"
    row = {
        "id": job_id,
        "kind": kind,
        "namespace": namespace,
        "status": "pending",
        "payload": json.dumps(payload, allow_nan=False),
        "progress": 0.0,
        "attempts": 0,
        "max_attempts": max_attempts,
        "run_after_s": now_s,
        "created_s": now_s,
        "updated_s": now_s,
    }
    connection.execute(insert(jobs).values(row))
    return job_id


def find(connection: Connection, job_id: str, namespace: str | None = None) -> Job:
    """The job of this id, in this namespace or in any; without its payload, which may be an image, and whoever waits
    for a job asks often. Raises `JobNotFound`.
    """
    found = _without("payload").where(jobs.c.id == job_id)
    row = connection.execute(found).first() if _ID.fullmatch(job_id) else None
    if row is None or namespace not in (None, row.namespace):
        raise JobNotFound(f"The job '{job_id[:100]}' does not exist.")
    return _read(row)


def list_jobs(
    connection: Connection, namespace: str | None = None, status: Status | None = None, most: int = 100
) -> Sequence[Job]:
    """The newest first, without payloads and results, which may be large."""
    found = _without("payload", "result").order_by(jobs.c.created_s.desc(), jobs.c.id).limit(most)
    if namespace is not None:
        found = found.where(jobs.c.namespace == namespace)
    if status is not None:
        found = found.where(jobs.c.status == status)
    return [_read(row) for row in connection.execute(found)]


def cancel(connection: Connection, job_id: str, namespace: str | None = None) -> None:
    """End a job that has not ended; who runs it finds out at the next heartbeat. Raises `JobNotFound`, `Conflict`."""
    found = find(connection, job_id, namespace)
    ending = _ending(read_clock(connection), "cancelled", error="It was cancelled.")
    changed = connection.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.status.in_(UNDONE)).values(ending))
    if not changed.rowcount:
        raise Conflict(f"The job '{job_id}' has ended already: {find(connection, found.id).status}.")


def remove_ended(connection: Connection, keep_s: float = KEEP_S) -> int:
    """Remove jobs that ended longer ago, with their logs; returns how many."""
    old = and_(jobs.c.status.not_in(UNDONE), jobs.c.updated_s < read_clock(connection) - keep_s)
    connection.execute(delete(log_lines).where(log_lines.c.job_id.in_(select(jobs.c.id).where(old))))
    return connection.execute(delete(jobs).where(old)).rowcount


# For those who run jobs -----------------------------------------------------------------------------------------------


def waits(connection: Connection, kinds: Collection[str], stale_s: float = STALE_S) -> bool:
    """Whether there is a job to claim; changes nothing."""
    return connection.scalar(_due(connection, kinds, stale_s)) is not None


def claim(connection: Connection, kinds: Collection[str], claimant: str, stale_s: float = STALE_S) -> Job | None:
    """Take the job of these kinds that has been due the longest, for `claimant`; None when there is none.

    One whose every attempt ended with its process is failed on the way.
    """
    due = _due(connection, kinds, stale_s).with_for_update(skip_locked=True).scalar_subquery()
    while True:
        now_s = read_clock(connection)
        mine = f"{claimant}:{secrets.token_hex(8)}"
        taken = {
            "status": "running",
            "claimed_by": mine,
            "heartbeat_s": now_s,
            "updated_s": now_s,
            "attempts": jobs.c.attempts + 1,
        }
        row = connection.execute(update(jobs).where(jobs.c.id == due).values(taken).returning(*jobs.columns)).first()
        if row is None:
            return None
        job = _read(row)
        if job.attempts <= job.max_attempts:
            return job
        _end(connection, job, "failed", error=_GONE.format(count=job.max_attempts))


def holds(connection: Connection, job: Job) -> bool:
    """Whether the claim is still the claimant's: the job was neither cancelled nor taken over."""
    return connection.scalar(select(jobs.c.id).where(_own(job))) is not None


def beat(connection: Connection, job: Job, progress: float) -> bool:
    """A heartbeat. Returns False where the claim is the claimant's no more; so do all that follow."""
    now_s = read_clock(connection)
    written = {"heartbeat_s": now_s, "updated_s": now_s, "progress": progress}
    return _write(connection, job, written)


def finish(connection: Connection, job: Job, result: Any) -> bool:
    """The end that everyone hopes for. `result` is a JSON value."""
    return _end(connection, job, "success", result=json.dumps(result, allow_nan=False), progress=1.0)


def fail(connection: Connection, job: Job, error: str, retry_in_s: float | None) -> bool:
    """Try the job again after a while, or end it: where `retry_in_s` is None, or this was the last attempt."""
    said = storable(error)
    if retry_in_s is None or job.attempts >= job.max_attempts:
        return _end(connection, job, "failed", error=said)
    now_s = read_clock(connection)
    return _write(connection, job, _waiting(now_s) | {"run_after_s": now_s + retry_in_s, "error": said})


def give_back(connection: Connection, job: Job) -> bool:
    """Leave the job to others, as if it had not been claimed; what was reported of it stays."""
    return _write(connection, job, _waiting(read_clock(connection)) | {"attempts": jobs.c.attempts - 1})


def read_clock(connection: Connection) -> float:
    """Seconds since 1970, by the clock that all who share the store agree on."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())


def _check_room(connection: Connection, namespace: str, bounds: Bounds) -> None:
    own = func.coalesce(func.sum(case((jobs.c.namespace == namespace, 1), else_=0)), 0)
    here, everyone = connection.execute(select(own, func.count()).where(jobs.c.status.in_(UNDONE))).one()
    if here >= bounds.namespace:
        raise Overloaded(f"{here} jobs of '{namespace}' are not done yet: try again later.", _RETRY_AFTER_S)
    if everyone >= bounds.everyone:
        raise Overloaded(f"{everyone} jobs are not done yet: try again later.", _RETRY_AFTER_S)


def _due(connection: Connection, kinds: Collection[str], stale_s: float) -> Select[Any]:
    now_s = read_clock(connection)
    pending = and_(jobs.c.status == "pending", jobs.c.run_after_s <= now_s)
    stale = and_(jobs.c.status == "running", jobs.c.heartbeat_s < now_s - stale_s)
    due = select(jobs.c.id).where(jobs.c.kind.in_(kinds), or_(pending, stale))
    return due.order_by(jobs.c.run_after_s, jobs.c.created_s).limit(1)


def _own(job: Job) -> ColumnElement[bool]:
    return and_(jobs.c.id == job.id, jobs.c.status == "running", jobs.c.claimed_by == job.claim)


def _write(connection: Connection, job: Job, values: Mapping[str, Any]) -> bool:
    return connection.execute(update(jobs).where(_own(job)).values(**values)).rowcount == 1


def _end(connection: Connection, job: Job, status: Status, **values: Any) -> bool:
    return _write(connection, job, _ending(read_clock(connection), status, **values))


def _ending(now_s: float, status: Status, **values: Any) -> dict[str, Any]:
    kept = {"status": status, "updated_s": now_s, "payload": "null", "error": None}
    return kept | {"claimed_by": None, "heartbeat_s": None} | values


def _waiting(now_s: float) -> dict[str, Any]:
    return {"status": "pending", "claimed_by": None, "heartbeat_s": None, "updated_s": now_s}


def _without(*names: str) -> Select[Any]:
    """Jobs whose columns of these names are left where they are."""
    return select(*(null().label(column.name) if column.name in names else column for column in jobs.columns))


def _read(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        namespace=row.namespace,
        status=cast(Status, row.status),
        payload=None if row.payload is None else json.loads(row.payload),
        result=None if row.result is None else json.loads(row.result),
        error=row.error,
        progress=row.progress,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        run_after_s=row.run_after_s,
        created_s=row.created_s,
        updated_s=row.updated_s,
        claim=row.claimed_by,
    )


def storable(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
