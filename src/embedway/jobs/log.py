"""What a job says while it runs: a log of lines, kept with it and removed with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from embedway.jobs.job import MOST_LINES
from embedway.jobs.queue import read_clock, storable
from embedway.store.schema import job_log

LINE_CHARACTERS = 2000
"""Of one line; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class Line:
    """`at_s` is when it was written to the store, in seconds since 1970."""

    at_s: float
    text: str


def write_lines(connection: Connection, job_id: str, lines: Sequence[str]) -> None:
    """Append lines to a job's log."""
    if not lines:
        return
    now_s = read_clock(connection)
    rows = [{"job_id": job_id, "at_s": now_s, "line": storable(line)[:LINE_CHARACTERS]} for line in lines[-MOST_LINES:]]
    connection.execute(insert(job_log), rows)
    newest = select(job_log.c.id).where(job_log.c.job_id == job_id).order_by(job_log.c.id.desc())
    oldest_kept = newest.offset(MOST_LINES - 1).limit(1).scalar_subquery()
    connection.execute(delete(job_log).where(job_log.c.job_id == job_id, job_log.c.id < oldest_kept))


def read_lines(connection: Connection, job_id: str) -> Sequence[Line]:
    """A job's log, the oldest line first."""
    found = select(job_log.c.at_s, job_log.c.line).where(job_log.c.job_id == job_id).order_by(job_log.c.id)
    return [Line(row.at_s, row.line) for row in connection.execute(found)]
