"""How connections are made: SQLite and PostgreSQL brought to one behaviour, with limits on every wait."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from embedway.errors import SettingsError, StoreUnavailable
from embedway.store.address import Address

CONNECT_S = 3
"""Seconds in which a database must have taken a connection."""
STATEMENT_S = 10
"""Seconds for one statement, and for the wait for another process's transaction."""
READS = "embedway_reads"
"""The option of a connection whose transactions change nothing."""

_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A host that is gone without a word is noticed after some ten seconds, not after the system's two hours."""


def make_engine(address: Address, connections: int) -> Engine:
    """An engine of at most `connections` connections; connects to nothing yet. Values never stand in its errors."""
    options: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": CONNECT_S,
        "hide_parameters": True,
    }
    if address.file is not None:
        engine = create_engine(address.url, connect_args={"timeout": STATEMENT_S}, **options)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = {"connect_timeout": CONNECT_S, "application_name": "embedway", **_KEEPALIVE}
    given = {name: value for name, value in limits.items() if name not in address.url.query}
    try:
        engine = create_engine(
            address.url, connect_args=given, isolation_level="READ COMMITTED", pool_pre_ping=True, **options
        )
    except ImportError as error:
        raise SettingsError(f"The driver of PostgreSQL cannot be loaded: {error}.") from error
    event.listen(engine, "connect", _set_up_postgres)
    return engine


def reading(connection: Connection) -> Connection:
    """Make the next transaction one snapshot that changes nothing and waits for no writer."""
    if connection.dialect.name == "sqlite":
        return connection.execution_options(**{READS: True})
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def unreachable(error: DBAPIError | PoolTimeout) -> bool:
    """Whether the database is at fault (gone, locked, full, damaged, too slow), not the statement."""
    if isinstance(error, PoolTimeout) or error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):  # SQLITE_ERROR is bad SQL, an InterfaceError a value of a strange type
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code != sqlite3.SQLITE_ERROR and (isinstance(error, OperationalError) or type(error) is DatabaseError)
    return isinstance(error, OperationalError | InterfaceError)


def prepare_file(address: Address) -> None:
    """Make the SQLite file and its folder where they are missing, for this user's eyes only, in write-ahead mode.

    Raises `StoreUnavailable` where that cannot be done, and `SettingsError` for a file that is something else.
    """
    if address.file is None:
        return
    try:
        if not address.file.exists():
            address.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(address.file, os.O_CREAT | os.O_RDWR, 0o600))
        _write_ahead(address.file)
    except OSError as error:
        raise StoreUnavailable(f"The database {address.file} cannot be made: {error.strerror}.") from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"The database {address.file} cannot be opened: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise SettingsError(f"The file {address.file} is no database of SQLite: {error}.") from error


def _write_ahead(file: Path) -> None:
    """The file keeps the mode. Two processes that change it at once are refused without a wait: hence the attempts."""
    until_s = time.monotonic() + STATEMENT_S
    while True:
        try:
            with closing(sqlite3.connect(file, timeout=STATEMENT_S)) as connection:
                if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                    connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.01)
        else:
            return


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """Let this module begin transactions, not the driver (it would do so at the first change, too late to wait)."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    """Take the one write lock at once and wait for it: a transaction that reads first and writes later could not wait.

    https://www.sqlite.org/lang_transaction.html
    """
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reads else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _set_up_postgres(connection: Any, record: Any) -> None:
    connection.autocommit = True
    connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{6 * STATEMENT_S}s'")
    connection.autocommit = False
