"""API keys in the store, on SQLite and PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest

from embedway.access import keyrecords
from embedway.access.apikeys import Scope
from embedway.access.keyrecords import ApiKeyRow
from embedway.access.records import VERSION
from embedway.errors import Conflict, KeyNotFound
from embedway.settings import hash_secret
from embedway.store.actor import Actor
from embedway.store.audit import read_events
from embedway.store.database import Database
from embedway.store.versions import read_version

ME = Actor("me", "request-1")
SHOP = Scope(("shop",), ("m*",), ("searchplat:*",))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def make(database: Database, scope: Scope = SHOP, **more: object) -> tuple[ApiKeyRow, str]:
    return database.run_now(partial(keyrecords.create, actor=ME, scope=scope, **more))  # type: ignore[arg-type]


def read(database: Database, key_id: str) -> ApiKeyRow:
    return database.run_now(partial(keyrecords.read_api_key, key_id=key_id), reads=True)


def test_a_new_key_is_kept_as_its_digest(database: Database) -> None:
    """What is read back is what was made, and the key itself is nowhere in it; an event tells of it."""
    row, token = make(database, note="é", expires_s=4e9)
    assert read(database, row.id) == row
    assert row.key.scope == SHOP
    assert row.digest == hash_secret(token)
    assert token.startswith(row.prefix)
    assert token not in repr(row)
    (event,) = database.run_now(lambda one: read_events(one, subject=f"api-key/{row.id}"), reads=True)
    assert (event.who, event.action, event.request_id) == ("me", "CreateApiKey", "request-1")
    assert event.detail["scope"]["workspaces"] == ["shop"]


def test_every_change_is_a_new_version(database: Database) -> None:
    """Other processes look for it."""
    seen = {database.run_now(lambda one: read_version(one, VERSION))}
    row, _ = make(database)
    for work in (
        partial(keyrecords.enable, actor=ME, key_id=row.id, enabled=True),
        partial(keyrecords.rotate, actor=ME, key_id=row.id, overlap_s=60),
        partial(keyrecords.revoke, actor=ME, key_id=row.id),
    ):
        seen.add(database.run_now(lambda one: read_version(one, VERSION)))
        database.run_now(work)
    seen.add(database.run_now(lambda one: read_version(one, VERSION)))
    assert len(seen) == 5


def test_rotation_bounds_the_old_key(database: Database) -> None:
    """It ends after the overlap, or when it would have ended anyway; the new one reaches as far and lasts as long."""
    row, _ = make(database, admin=True, note="n")
    new, _ = database.run_now(partial(keyrecords.rotate, actor=ME, key_id=row.id, overlap_s=3600))
    assert (new.scope, new.admin, new.note, new.expires_s) == (SHOP, True, "n", None)
    assert abs((read(database, row.id).expires_s or 0) - time.time() - 3600) < 60
    soon, _ = make(database, expires_s=time.time() + 60)
    database.run_now(partial(keyrecords.rotate, actor=ME, key_id=soon.id, overlap_s=3600))
    assert read(database, soon.id).expires_s == soon.expires_s


def rotate(database: Database, key_id: str) -> tuple[ApiKeyRow, str]:
    return database.run_now(partial(keyrecords.rotate, actor=ME, key_id=key_id, overlap_s=3600))


def test_a_key_is_rotated_once(database: Database) -> None:
    """A second rotation would give the overlap's end to a new key: the refusal names the successor, which rotates."""
    row, _ = make(database)
    new, _ = rotate(database, row.id)
    with pytest.raises(Conflict, match=new.id):
        rotate(database, row.id)
    assert rotate(database, new.id)[0].expires_s is None


def test_a_disabled_key_is_not_rotated(database: Database) -> None:
    """Its successor would be good."""
    row, _ = make(database)
    database.run_now(partial(keyrecords.enable, actor=ME, key_id=row.id, enabled=False))
    with pytest.raises(Conflict, match="is disabled: enable it first"):
        rotate(database, row.id)
    assert len(database.run_now(keyrecords.read_api_keys, reads=True)) == 1


def test_a_revoked_key_stays_revoked(database: Database) -> None:
    """It can be neither enabled nor rotated, and its row stays."""
    row, _ = make(database)
    assert database.run_now(partial(keyrecords.revoke, actor=ME, key_id=row.id))
    assert not database.run_now(partial(keyrecords.revoke, actor=ME, key_id=row.id))
    for work in (
        partial(keyrecords.enable, actor=ME, key_id=row.id, enabled=True),
        partial(keyrecords.rotate, actor=ME, key_id=row.id, overlap_s=1),
    ):
        with pytest.raises(Conflict):
            database.run_now(work)
    assert read(database, row.id).state == "revoked"


def test_a_workspace_lists_its_own_keys(database: Database) -> None:
    """Not those of several workspaces, of all, of managers, or revoked ones."""
    own, token = make(database)
    for scope, more in ((Scope(("shop", "other")), {}), (Scope(), {}), (SHOP, {"admin": True})):
        make(database, scope, **more)
    gone, _ = make(database)
    database.run_now(partial(keyrecords.revoke, actor=ME, key_id=gone.id))
    assert database.run_now(lambda one: keyrecords.list_in_workspace(one, "shop")) == [own]
    for given in (own.id, token, own.masked):
        assert database.run_now(lambda one, given=given: keyrecords.find_in_workspace(one, "shop", given)) == own
    for workspace, given in (("other", token), ("shop", "OS-nothing"), ("shop", ""), ("shop", "\x00")):
        with pytest.raises(KeyNotFound):
            database.run_now(
                lambda one, at=workspace, given=given: keyrecords.find_in_workspace(one, at, given)  # type: ignore[misc]
            )


def test_a_use_is_never_set_back(database: Database) -> None:
    """Two processes may write in any order."""
    row, _ = make(database)
    for at_s in (100.0, 300.0, 200.0):
        database.run_now(partial(keyrecords.note_used, used_s={row.id: at_s}))
    assert read(database, row.id).last_used_s == 300.0
