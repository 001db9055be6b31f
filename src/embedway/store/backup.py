"""A backup: one file with every row, the same whichever database it came from.

It is JSON, a line for each row, between a line that says what it is and one with the number of rows and the SHA-256 of
all before it. What is sealed stays sealed: the master key is not in it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from operator import add
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import Connection, String, Table, func, select

from embedway import __version__
from embedway.errors import SettingsError
from embedway.store.database import Database
from embedway.store.files import flush_folder
from embedway.store.schema import REVISION, metadata

FORMAT = "embedway-backup-1"
AT_ONCE = 500
"""Rows that are in memory at a time."""
MOST_CHARACTERS = 16 * 2**20
"""Of all their texts; the payload of a job may be an image. One row may be larger."""


def write_backup(database: Database, path: Path) -> Mapping[str, int]:
    """Write one snapshot of all tables, while others read and write; returns the number of rows by table.

    The file appears under its name when it is whole, with mode 0600. Raises `SettingsError` when there is one already
    or it cannot be written, and `StoreUnavailable`.
    """
    if path.exists():
        raise SettingsError(f"The file {path} exists: a backup replaces nothing, choose another name.")
    try:
        with _appearing(path) as file:
            return database.run_now(lambda connection: _write(connection, file), reads=True)
    except OSError as error:
        raise SettingsError(f"The backup {path} cannot be written: {error.strerror or error}.") from error


def read_backup(path: Path) -> Iterator[tuple[Table, Mapping[str, Any]]]:
    """Each row with its table; only at the end is it sure that they are right: nothing may last that came before.

    Raises `SettingsError` for a file that is no backup, is cut or damaged, or has another revision of the tables.
    """
    try:
        with path.open("rb") as file:
            yield from _read(path, file)
    except OSError as error:
        raise SettingsError(f"The backup {path} cannot be read: {error.strerror or error}.") from error


def _write(connection: Connection, file: IO[bytes]) -> Mapping[str, int]:
    digest, counts = hashlib.sha256(), Counter[str]()

    def write(line: Mapping[str, Any]) -> None:
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        digest.update(data)
        file.write(data)

    write({"format": FORMAT, "revision": REVISION, "embedway": __version__, "made_s": time.time()})
    for table in metadata.sorted_tables:
        at_once = _rows_at_once(connection, table)
        rows = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=at_once)
        names = [str(name) for name in table.columns.keys()]  # noqa: SIM118 - iterating it would give the columns
        for row in connection.execute(rows):
            write({"table": table.name, "row": dict(zip(names, row, strict=True))})
            counts[str(table.name)] += 1
    write({"rows": counts.total(), "sha256": digest.hexdigest()})
    return counts


def _rows_at_once(connection: Connection, table: Table) -> int:
    """As many as stay within the bounds if each is as large as the largest."""
    sizes = [func.coalesce(func.length(column), 0) for column in table.columns if isinstance(column.type, String)]
    if not sizes:
        return AT_ONCE
    largest = connection.scalar(select(func.max(reduce(add, sizes)))) or 1
    return max(1, min(AT_ONCE, MOST_CHARACTERS // largest))


def _read(path: Path, file: IO[bytes]) -> Iterator[tuple[Table, Mapping[str, Any]]]:
    damaged = SettingsError(f"The backup {path} is cut off or damaged: nothing of it can be trusted.")
    digest = hashlib.sha256()
    head = file.readline()
    _check_head(path, _parse(head))
    digest.update(head)
    for count, data in enumerate(file):
        line = _parse(data)
        if "sha256" in line:
            if (line["sha256"], line.get("rows")) != (digest.hexdigest(), count) or file.read(1):
                raise damaged
            return
        table, row = metadata.tables.get(str(line.get("table"))), line.get("row")
        if table is None or not isinstance(row, dict) or row.keys() != set(table.columns.keys()):
            raise damaged
        digest.update(data)
        yield table, row
    raise damaged


def _check_head(path: Path, head: Mapping[str, Any]) -> None:
    if head.get("format") != FORMAT:
        raise SettingsError(f"The file {path} is no backup of Embedway, or one of a newer version.")
    if head.get("revision") != REVISION:
        raise SettingsError(
            f"The backup {path} has revision {head.get('revision')} of the tables, this Embedway {REVISION}: restore "
            f"it into an empty database with Embedway {head.get('embedway')}, then let this version open that."
        )


def _parse(line: bytes) -> Mapping[str, Any]:
    """One line; nothing at all where it is no JSON object."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when all of it is on the disk; without that nothing is left."""
    with tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    flush_folder(path.absolute().parent)
