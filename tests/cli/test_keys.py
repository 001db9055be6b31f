"""`embedway keys`: access keys from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedway.access.records import read_keys
from embedway.settings import Settings
from embedway.store.database import Database
from embedway.store.vault import open_vault

from .command import Ended, run


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A database of the test's own."""
    return {"XDG_DATA_HOME": str(tmp_path)}


def keys(env: dict[str, str], *arguments: str) -> Ended:
    return run("keys", *arguments, env=env)


def test_a_key_is_made_listed_and_revoked(env: dict[str, str], tmp_path: Path) -> None:
    """The secret is shown once, and is nowhere in the files."""
    permission = "searchengine:Get*@acs:searchengine:*:*:instance/ha-cn-x"
    made = keys(
        env, "create", "--access-key", "--permission", permission, "--expires-in", "90d", "--note", "a note", "--json"
    )
    [new] = made.rows()
    assert new["id"].startswith("EWAK")
    assert len(new["secret"]) == 40
    listed = keys(env, "list", "--json")
    [row] = listed.rows()
    assert (row["id"], row["state"], row["permissions"], row["note"]) == (new["id"], "active", permission, "a note")
    assert row["expires"] == new["expires"]
    assert new["secret"] not in listed.out + keys(env, "list").out
    assert keys(env, "revoke", new["id"]).status == 0
    assert keys(env, "list", "--json").rows()[0]["state"] == "revoked"
    assert new["id"] in keys(env, "revoke", new["id"]).sentence()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not any(new["secret"].encode() in file.read_bytes() for file in files)


def test_what_people_read(env: dict[str, str]) -> None:
    """Id and secret on lines of their own; that the secret comes once is said beside them."""
    made = keys(env, "create", "--access-key")
    words = [line.split() for line in made.out.splitlines()]
    assert [line[0] for line in words] == ["id:", "secret:"]
    assert "not shown again" in made.err


def test_keys_of_the_configuration_are_listed_and_not_revoked(env: dict[str, str]) -> None:
    """They are changed where they are written."""
    configured = env | {"EMBEDWAY_ACCESS_KEYS": "MINE:a-secret"}
    listed = keys(configured, "list", "--json")
    assert [(row["id"], row["origin"]) for row in listed.rows()] == [("MINE", "configuration")]
    assert "a-secret" not in listed.out
    assert "configuration" in keys(configured, "revoke", "MINE").sentence()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create"], "--access-key"),
        (["create", "--access-key", "--permission", "nonsense"], "ACTION@RESOURCE"),
        (["create", "--access-key", "--expires-in", "soon"], "90d"),
        (["create", "--access-key", "--expires-in", "0d"], "90d"),
        (["create", "--access-key", "--expires-in", "999999999d"], "36500d"),
        (["revoke", "NOBODY"], "NOBODY"),
        (["list", "--database-url", "mysql://x"], "sqlite"),
    ],
)
def test_mistakes_are_one_sentence(env: dict[str, str], arguments: list[str], words: str) -> None:
    """That says what to do."""
    assert words in keys(env, *arguments).sentence()


def test_a_key_file_of_the_master_key_is_not_made(env: dict[str, str], tmp_path: Path) -> None:
    """With a master key the secret is sealed by it, and opens with it alone."""
    [new] = keys(env | {"EMBEDWAY_MASTER_KEY": "mine"}, "create", "--access-key", "--json").rows()
    assert not list(tmp_path.rglob("*.key"))
    database = Database(f"sqlite:///{tmp_path}/embedway/embedway.db")
    [row] = database.run_now(read_keys)
    assert row.pair(open_vault(Settings(master_key=("mine",)), database)).secret == new["secret"]
    database.close()
