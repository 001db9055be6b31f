"""Access keys and nonces in a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from embedway.access.accesskeys import PREFIX, AccessKeys, make_pair
from embedway.access.records import VERSION, NonceRecords, add_key, read_keys, revoke_key
from embedway.errors import SignatureRefused, StoreUnavailable
from embedway.settings import AccessKey, Permission, Settings
from embedway.store import schema
from embedway.store.database import Database
from embedway.store.vault import Vault, open_vault
from embedway.store.versions import read_version

ALL = (Permission(),)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty one, SQLite's and PostgreSQL's in turn."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def vault(database: Database) -> Vault:
    return open_vault(Settings(master_key=("a master key",)), database)


def test_a_key_is_sealed_and_opens_again(database: Database, vault: Vault, tmp_path: Path) -> None:
    """The database does not hold the secret; who has the vault does."""
    pair = make_pair((Permission(("searchengine:*",), ("*",)),), 5e9)
    assert pair.id.startswith(PREFIX)
    assert pair.secret not in repr(pair)
    database.run_now(lambda connection: add_key(connection, pair, vault.seal(pair.secret), "a note", "me"))
    [row] = database.run_now(read_keys)
    assert row.pair(vault) == pair
    assert (row.note, row.revoked, row.last_used_s) == ("a note", False, None)
    assert pair.secret not in row.sealed
    assert not any(pair.secret.encode() in file.read_bytes() for file in tmp_path.rglob("*.db*"))


def test_revoking_forgets_the_secret(database: Database, vault: Vault) -> None:
    """The id stays, so that it is known and refused; each change is told to the audit and to other processes."""
    pair = make_pair(ALL, None)
    database.run_now(lambda connection: add_key(connection, pair, vault.seal(pair.secret), "", "me"))
    assert database.run_now(lambda connection: revoke_key(connection, pair.id, "you"))
    assert not database.run_now(lambda connection: revoke_key(connection, pair.id, "you")), "it is revoked already"
    [row] = database.run_now(read_keys)
    assert (row.revoked, row.sealed) == (True, "")
    events = database.run_now(lambda connection: connection.execute(select(schema.event)).all())
    assert [(one.who, one.action, one.subject) for one in events] == [
        ("me", "embedway:CreateAccessKey", f"accesskey/{pair.id}"),
        ("you", "embedway:RevokeAccessKey", f"accesskey/{pair.id}"),
    ]
    assert not any(pair.secret in one.detail for one in events)
    assert database.run_now(lambda connection: read_version(connection, VERSION)) == 2


def test_a_nonce_is_noted_once_and_expires(database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, when its key was used; what has expired is deleted now and then."""
    pair, now_s = make_pair(ALL, None), 1_000_000.0
    monkeypatch.setattr("embedway.access.records.time.time", lambda: now_s)
    database.run_now(lambda connection: add_key(connection, pair, vault.seal(pair.secret), "", "me"))
    records, others = NonceRecords(), NonceRecords()

    def spend(by: NonceRecords, mark: str) -> bool:
        return database.run_now(lambda connection: by.spend(connection, mark, now_s + 10, pair.id))

    assert spend(records, "a")
    assert not spend(others, "a")
    assert spend(records, "b")
    assert database.run_now(read_keys)[0].last_used_s == now_s
    now_s += 11
    assert spend(records, "a"), "the date of the first has expired, so it cannot come again"
    now_s += 60
    assert spend(others, "c")
    left = database.run_now(lambda connection: connection.execute(select(schema.nonce.c.value)).scalars().all())
    assert left == ["c"]


def test_keys_of_the_configuration_win(database: Database) -> None:
    """Also while the database has not been read; an unknown key is then not called unknown."""
    keys = AccessKeys([AccessKey("AK", "configured")])
    assert keys.find("AK", 0).secret == "configured"
    with pytest.raises(StoreUnavailable):
        keys.find("OTHER", 0)
    keys.take([make_pair(ALL, None)])
    with pytest.raises(SignatureRefused, match="There is no access key 'OTHER'"):
        keys.find("OTHER", 0)
