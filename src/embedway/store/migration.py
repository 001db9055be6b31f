"""Bringing a database to the newest revision: whole or not at all, by one process at a time."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from embedway.errors import SettingsError
from embedway.store.connection import reading, unreachable
from embedway.store.schema import REVISION, REVISION_TABLE

_ALEMBIC = threading.Lock()
"""Alembic keeps what it works on in its modules: one migration at a time in a process, whatever the database."""
_LOCK = 0x656D_6265_6477_6179
"""PostgreSQL's advisory lock that a migration holds: `embedway` in ASCII. SQLite has its one write lock."""


def migrate(engine: Engine) -> None:
    """Nothing to do costs two statements. Raises `SettingsError` for a database that a newer Embedway has made,
    and for one in which the tables cannot be made.
    """
    with engine.connect() as connection:
        found = read_revision(reading(connection))
    if found != REVISION:
        _check_known(found)
        try:
            _migrate(engine)
        except DBAPIError as error:
            if unreachable(error):
                raise
            raise SettingsError(f"The database cannot be brought to revision {REVISION}: {error.orig}") from error


def read_revision(connection: Connection) -> str | None:
    """The revision of the database; None when it is empty."""
    if not inspect(connection).has_table(REVISION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}"))  # noqa: S608 - a constant
    return None if found is None else str(found)


def _check_known(found: str | None) -> None:
    if found is not None and (not found.isdecimal() or int(found) > int(REVISION)):
        raise SettingsError(
            f"The database has revision {found}, and this Embedway knows those up to {REVISION}: run the version that "
            "made it, or a newer one."
        )


def _migrate(engine: Engine) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it names its own parts when it is imported
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with _ALEMBIC, engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
