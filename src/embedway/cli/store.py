"""`embedway backup`, `embedway restore`, `embedway reseal`: the database, without a server."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from embedway.cli.table import say
from embedway.errors import SettingsError
from embedway.settings import Settings
from embedway.store.backup import write_backup
from embedway.store.database import Database, open_database
from embedway.store.restore import restore_backup
from embedway.store.rotation import count_closed, reseal_all
from embedway.store.vault import Vault, open_vault


def backup(settings: Settings, path: Path, as_json: bool = False) -> str:
    """Write a backup; says what is in it, and that the master key is not."""
    with _opened(settings) as database:
        _check_there(database)
        counts = write_backup(database, path)
        kept = _places(settings, open_vault(settings, database))
        said = f"{path}: {_told(counts)}. Secrets in it stay encrypted; the master key is not in it: keep {kept} too."
        return say(said, as_json, file=str(path), rows=dict(counts), keep=kept)


def restore(settings: Settings, path: Path, replace: bool, as_json: bool = False) -> str:
    """Restore a backup; says what was in it, and how many of its secrets the master keys at hand cannot read."""
    with _opened(settings) as database:
        counts = restore_backup(database, path, _user(), replace)
        vault = open_vault(settings, database)
        closed = database.run_now(lambda connection: count_closed(connection, vault), reads=True)
        told = f"{path}: restored {_told(counts)}."
        if closed:
            told += (
                f" {closed} of its secrets cannot be read here: set EMBEDWAY_MASTER_KEY to that of the server which "
                f"made the backup, or bring its key file to {vault.file}."
            )
        return say(told, as_json, file=str(path), rows=dict(counts), unreadable_secrets=closed)


def reseal(settings: Settings, as_json: bool = False) -> str:
    """Encrypt every stored secret by the first master key."""
    with _opened(settings) as database:
        _check_there(database)
        vault = open_vault(settings, database)
        count = database.run_now(lambda connection: reseal_all(connection, vault))
        said = f"{count} secrets are encrypted by the first master key; older ones are needed no more."
        return say(said, as_json, secrets=count)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        database.close()


def _check_there(database: Database) -> None:
    """Refuse to make a SQLite file only to find it empty: a slip in its name would pass for a backup."""
    file = database.address.file
    if file is not None and not file.exists():
        raise SettingsError(f"There is no database {file}: name the right one with --database-url.")


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"


def _places(settings: Settings, vault: Vault) -> str:
    """Where that lies which opens the secrets."""
    places = ["EMBEDWAY_MASTER_KEY"] if settings.master_key else []
    return " and ".join((*places, *([str(vault.file)] if vault.file.exists() else []))) or "it"


def _user() -> str:
    """Who runs the command, for the audit."""
    with suppress(OSError, KeyError):  # a user without a name, as in some containers
        return getpass.getuser()
    return "unknown"
