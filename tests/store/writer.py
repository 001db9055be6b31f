"""A process that writes: `python -m tests.store.writer URL FIRST COUNT THREADS`, and says on its output what is done.

It says `ready`, waits for a line on its input, then registers models FIRST to FIRST + COUNT - 1: each with its event
and a new version in one transaction, and says the number of each once that is committed.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import alembic.command  # noqa: F401 - loaded before `ready`, so that two processes migrate at the same moment
from sqlalchemy import Connection, insert

from embedway.store.audit import record
from embedway.store.database import Database
from embedway.store.schema import model
from embedway.store.versions import bump


def content_of(number: int) -> str:
    """What the model of this number holds: long enough to fill pages of the database."""
    return f'{{"number": {number}, "filler": "{str(number % 10) * 2000}"}}'


def register(connection: Connection, number: int) -> None:
    row = {"namespace": "default", "name": f"m{number}", "kind": "remote", "status": "true", "content": "{}"}
    connection.execute(insert(model).values(**row, created_s=0.0, updated_s=0.0))
    record(connection, "writer", "CreateModel", f"m{number}")
    bump(connection, "models")
    connection.execute(model.update().where(model.c.name == f"m{number}").values(content=content_of(number)))


def main(url: str, first: int, count: int, threads: int) -> None:
    database = Database(url, threads)

    def write(number: int) -> None:
        database.run_now(lambda connection: register(connection, number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(write, range(first, first + count)):
            pass


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
