"""Revisions: the tables are those of the schema, and an older or newer database is not taken for another."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from embedway.errors import SettingsError
from embedway.store import migrations
from embedway.store.database import Database
from embedway.store.migration import read_revision
from embedway.store.schema import REVISION, REVISION_TABLE, metadata


def revisions() -> ScriptDirectory:
    return ScriptDirectory(str(migrations.__path__[0]))


def test_the_revisions_make_what_the_schema_says(database: Database) -> None:
    """Every table, column, type and index; defaults too, which Alembic cannot compare on SQLite."""

    def compare(connection: Connection) -> object:
        defaults = connection.dialect.name != "sqlite"
        options = {"version_table": REVISION_TABLE, "compare_type": True, "compare_server_default": defaults}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert database.run_now(compare) == []


def test_the_newest_revision_is_the_one_that_the_schema_names() -> None:
    """A revision without its number in `schema.py` would never be made."""
    assert revisions().get_heads() == [REVISION]


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    """The error says both revisions, and nothing is changed."""
    database.run_now(lambda connection: connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '9999'")))
    newer = Database(database.address.url.render_as_string(hide_password=False))
    with pytest.raises(SettingsError, match=f"9999.* {REVISION}"):
        newer.run_now(read_revision)
    assert database.run_now(read_revision) == "9999"


def test_a_migration_that_fails_leaves_the_database_as_it_was(database_url: str) -> None:
    """A table that stands in the way is the error; of the others none was made, and once it is gone they are."""
    bare = Database(database_url)
    bare.run_now(lambda connection: metadata.drop_all(connection))
    bare.run_now(lambda connection: connection.execute(text(f"DROP TABLE {REVISION_TABLE}")))
    bare.run_now(lambda connection: connection.execute(text("CREATE TABLE version (mine INTEGER)")))
    database = Database(database_url)
    with pytest.raises(SettingsError, match=f"cannot be brought to revision {REVISION}: .*version"):
        database.run_now(read_revision)
    assert bare.run_now(tables) == {"version"}
    bare.run_now(lambda connection: connection.execute(text("DROP TABLE version")))
    assert database.run_now(read_revision) == REVISION
    bare.close()
    database.close()


def test_two_databases_are_migrated_at_once_in_one_process(tmp_path: Path) -> None:
    """Alembic keeps its state in its modules: the second waits for the first."""
    databases = [Database(f"sqlite:///{tmp_path / name}") for name in ("one.db", "two.db", "three.db")]
    with ThreadPoolExecutor() as threads:
        assert list(threads.map(lambda one: one.run_now(read_revision), databases)) == [REVISION] * 3
    for database in databases:
        database.close()


def tables(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if not name.startswith("sqlite_")}


def test_a_database_that_is_up_to_date_is_opened_without_alembic(sqlite_database: Database) -> None:
    """Its import takes longer than all else."""
    sqlite_database.run_now(read_revision)
    script = (
        "import sys; from embedway.store.database import Database; from embedway.store.migration import read_revision; "
        "assert Database(sys.argv[1]).run_now(read_revision); assert 'alembic' not in sys.modules"
    )
    url = f"sqlite:///{sqlite_database.address.file}"
    subprocess.run([sys.executable, "-c", script, url], check=True, timeout=60)


def test_the_revisions_can_be_undone(database: Database) -> None:
    """For those who write the next one: all the way down, and up again."""
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))

    def there_and_back(connection: Connection) -> set[str]:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        left = tables(connection)
        command.upgrade(config, "head")
        return left

    assert database.run_now(there_and_back) == {REVISION_TABLE}
    assert database.run_now(read_revision) == REVISION
