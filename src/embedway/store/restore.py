"""Restoring a backup: all of it in one transaction, after the whole file was checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.exc import DataError, IntegrityError

from embedway.errors import SettingsError
from embedway.store.audit import record
from embedway.store.backup import AT_ONCE, MOST_CHARACTERS, read_backup
from embedway.store.database import Database
from embedway.store.schema import event, job_log, metadata, nonce, version


def restore_backup(database: Database, path: Path, who: str, replace: bool = False) -> Mapping[str, int]:
    """Fill the database with the rows of a backup; returns their number by table. `who` stands in the audit.

    Other processes on the database take over what is restored. Raises `SettingsError` for a backup that is damaged or
    of another revision, and for a database that holds something already unless `replace`; then nothing is changed, and
    nothing is when the process ends in the middle.
    """
    for _ in read_backup(path):
        pass
    try:
        return database.run_now(lambda connection: _restore(connection, path, who, replace))
    except (DataError, IntegrityError) as error:
        raise SettingsError(f"The backup {path} does not fit into the database: {error.orig}") from error


def _restore(connection: Connection, path: Path, who: str, replace: bool) -> Mapping[str, int]:
    if connection.dialect.name == "postgresql":  # nobody writes between the deletion and the end; readers go on
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
    if not replace:
        _check_empty(connection)
    before = _versions(connection)
    for table in metadata.sorted_tables:
        connection.execute(delete(table))
    counts = _fill(connection, path)
    _renew_versions(connection, before)
    _continue_ids(connection)
    record(connection, who, "restore", path.name, detail={"rows": counts})
    return counts


def _check_empty(connection: Connection) -> None:
    """What passes by itself does not count: nonces, and the numbers of changes."""
    held = {
        table.name: found
        for table in metadata.sorted_tables
        if table not in (nonce, version) and (found := connection.scalar(select(func.count()).select_from(table)))
    }
    if held:
        told = ", ".join(f"{name} {count}" for name, count in held.items())
        raise SettingsError(
            f"The database holds something already ({told}): restore into an empty one, or with --replace, which "
            "removes it."
        )


def _fill(connection: Connection, path: Path) -> Mapping[str, int]:
    counts = Counter[str]()
    for table, group in groupby(read_backup(path), key=itemgetter(0)):
        for chunk in _chunks(row for _, row in group):
            connection.execute(insert(table), chunk)
            counts[str(table.name)] += len(chunk)
    return counts


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows for one statement, within the bounds of a backup."""
    chunk: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        own = sum(len(value) for value in row.values() if isinstance(value, str))
        if chunk and (len(chunk) >= AT_ONCE or size + own > MOST_CHARACTERS):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += own
    if chunk:
        yield chunk


def _versions(connection: Connection) -> Mapping[str, int]:
    return {row.name: row.value for row in connection.execute(select(version))}


def _renew_versions(connection: Connection, before: Mapping[str, int]) -> None:
    """Make every number one that nobody has seen, so that all who watch take over what is there now."""
    restored = _versions(connection)
    connection.execute(delete(version))
    names = sorted({*before, *restored})
    rows = [{"name": name, "value": max(before.get(name, 0), restored.get(name, 0)) + 1} for name in names]
    if rows:
        connection.execute(insert(version), rows)


def _continue_ids(connection: Connection) -> None:
    """Let PostgreSQL count on from the ids that were given; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in (event, job_log):
        if last := connection.scalar(select(func.max(table.c.id))):
            counter = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(counter, last)))
