"""Several processes on one database, and a process that is killed while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection, select

from embedway.store.database import Database
from embedway.store.migration import read_revision
from embedway.store.schema import REVISION, event, model
from embedway.store.versions import read_version

from .writer import content_of, register

TIMEOUT_S = 60


@contextmanager
def writer(url: str, first: int, count: int, threads: int = 1) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to write; killed at the end if it still runs."""
    command = [sys.executable, "-m", "tests.store.writer", url, str(first), str(count), str(threads)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def acknowledged(process: subprocess.Popen[str], most: int | None = None) -> list[int]:
    """The numbers that the process has said; after `most` of them it is killed, and what it still said is read."""
    assert process.stdout is not None
    found: list[int] = []
    for line in process.stdout:
        if line.endswith("\n"):  # a line cut off by the kill is no word given
            found.append(int(line))
        if len(found) == most:
            process.send_signal(signal.SIGKILL)
    process.wait(TIMEOUT_S)
    return found


def stored(database: Database) -> list[int]:
    """The numbers of the models that are there; each is whole: with its content, its event and its version."""

    def read(connection: Connection) -> tuple[dict[str, str], Sequence[str], int]:
        models = {row.name: row.content for row in connection.execute(select(model))}
        return models, connection.scalars(select(event.c.subject)).all(), read_version(connection, "models")

    models, events, version = database.run_now(read, reads=True)
    assert sorted(models) == sorted(events)
    assert version == len(models)
    numbers = sorted(int(name[1:]) for name in models)
    assert all(models[f"m{number}"] == content_of(number) for number in numbers)
    return numbers


def test_what_was_acknowledged_survives_kill_9_and_nothing_is_half_written(database: Database) -> None:
    """A process that writes 1,000 models is killed in their middle: what it had not told is one transaction at most."""
    with writer(database.address.url.render_as_string(hide_password=False), 0, 1000) as process:
        go(process)
        told = acknowledged(process, 500)
        assert process.returncode == -signal.SIGKILL
    there = stored(database)
    assert there == list(range(len(there)))
    assert len(told) <= len(there) <= len(told) + 1
    database.run_now(partial(register, number=len(there)))
    assert stored(database) == [*there, len(there)]


def test_two_processes_migrate_and_write_at_once(database_url: str) -> None:
    """Both find an empty database at the same moment; then eight threads write. None is refused, none is lost."""
    with writer(database_url, 0, 100, threads=4) as one, writer(database_url, 100, 100, threads=4) as other:
        go(one)
        go(other)
        told = acknowledged(one) + acknowledged(other)
        assert (one.wait(TIMEOUT_S), other.wait(TIMEOUT_S)) == (0, 0)
    database = Database(database_url)
    assert stored(database) == sorted(told) == list(range(200))
    assert database.run_now(read_revision) == REVISION
    database.close()
