"""`embedway backup`, `restore` and `reseal`, run as commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest
from sqlalchemy import insert, select

from embedway.cli.store import backup, restore
from embedway.configuration import load_settings
from embedway.errors import SettingsError
from embedway.store.database import Database, open_database
from embedway.store.schema import access_key
from embedway.store.vault import Vault, open_vault


def embedway(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embedway", *map(str, words)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDWAY_")}
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, timeout=60, check=False)


def add_key(database: Database, sealed: str) -> None:
    row = {"id": "AK1", "secret": sealed, "permissions": "[]", "created_s": 0.0, "disabled": False}
    database.run_now(lambda connection: connection.execute(insert(access_key).values(row)))
    database.close()


def sealed_key(database: Database) -> str:
    found = database.run_now(lambda connection: connection.scalar(select(access_key.c.secret)))
    database.close()
    assert found is not None
    return found


def test_a_backup_goes_to_another_machine_with_its_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default database is backed up; restored elsewhere its secret is reported as closed until the key is there."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "one"))
    database = open_database(load_settings())
    vault = open_vault(load_settings(), database)
    add_key(database, vault.seal("secret"))
    made = embedway("backup", tmp_path / "b")
    assert made.returncode == 0
    assert made.stdout.endswith(f"the master key is not in it: keep {vault.file} too.\n")
    told = json.loads(embedway("backup", tmp_path / "told", "--json").stdout)
    assert told == {"file": str(tmp_path / "told"), "rows": ANY, "keep": str(vault.file)}
    assert told["rows"]["access_key"] == 1

    other = Vault((), tmp_path / "two" / "embedway" / "embedway.db.key")
    restored = embedway("restore", tmp_path / "b", XDG_DATA_HOME=str(tmp_path / "two"))
    assert restored.stdout.startswith(f"{tmp_path / 'b'}: restored access_key 1")
    assert "1 of its secrets cannot be read here: set EMBEDWAY_MASTER_KEY" in restored.stdout
    other.file.write_bytes(vault.file.read_bytes())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "two"))
    assert "cannot be read" not in restore(load_settings(), tmp_path / "b", replace=True)
    assert other.unseal(sealed_key(Database(f"sqlite:///{other.file.with_suffix('')}"))) == "secret"


def test_a_master_key_is_changed_without_losing_a_secret(tmp_path: Path) -> None:
    """Both keys for a while, `reseal`, then the new one alone; with the new one alone before that nothing happens."""
    url, nowhere = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "none"
    add_key(Database(url), Vault(["old"], nowhere).seal("secret"))
    refused = embedway("reseal", "--database-url", url, EMBEDWAY_MASTER_KEY="new")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "set EMBEDWAY_MASTER_KEY to the key that it was stored with" in refused.stderr
    done = embedway("reseal", "--database-url", url, EMBEDWAY_MASTER_KEY="new,old")
    assert (done.returncode, done.stdout[:9]) == (0, "1 secrets")
    assert Vault(["new"], nowhere).unseal(sealed_key(Database(url))) == "secret"


def test_a_database_that_does_not_answer_is_said_with_the_reason_and_no_password(tmp_path: Path) -> None:
    """One sentence, status 2, no stack, no file."""
    url = f"postgresql://u:pass-word@/db?host={tmp_path}"
    failed = embedway("backup", tmp_path / "b", EMBEDWAY_DATABASE_URL=url)
    assert failed.returncode == 2
    assert "The database does not answer" in failed.stderr
    assert "No such file" in failed.stderr
    assert "pass-word" not in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


def test_a_slip_in_the_name_of_the_database_is_no_empty_backup(tmp_path: Path) -> None:
    """Neither a backup nor a database is made."""
    settings = load_settings({"database_url": f"sqlite:///{tmp_path / 'slip.db'}"})
    with pytest.raises(SettingsError, match=r"no database .*slip\.db"):
        backup(settings, tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    """Before the database is even made."""
    (tmp_path / "b").write_text("hello\n")
    failed = embedway("restore", tmp_path / "b", "--database-url", f"sqlite:///{tmp_path / 'x.db'}")
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    assert "is no backup of Embedway" in failed.stderr
    assert not (tmp_path / "x.db").exists()
