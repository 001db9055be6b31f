"""The audit: who did what, in the transaction of what was done."""

from __future__ import annotations

import json
import time

import pytest
from sqlalchemy import Connection, delete, select

from embedway.store.audit import record
from embedway.store.database import Database
from embedway.store.schema import event


def test_an_event_says_who_did_what_to_which_thing(database: Database) -> None:
    """In the order in which it happened, with the time and the request."""
    began_s = time.time()
    database.run_now(
        lambda connection: record(connection, "AK1", "CreateModel", "default/ü", "r-1", {"kind": "remote"})
    )
    database.run_now(lambda connection: record(connection, "AK2", "DeleteModel", "default/ü"))
    one, two = database.run_now(lambda connection: connection.execute(select(event).order_by(event.c.id)).all())
    assert (one.who, one.action, one.subject, one.request_id) == ("AK1", "CreateModel", "default/ü", "r-1")
    assert json.loads(one.detail) == {"kind": "remote"}
    assert (two.who, two.request_id, json.loads(two.detail)) == ("AK2", "", {})
    assert began_s <= one.at_s <= two.at_s <= time.time()


def test_what_is_rolled_back_leaves_no_event(database: Database) -> None:
    """And a number is never given twice, not even when the newest event was removed."""

    def fail(connection: Connection) -> None:
        record(connection, "AK1", "CreateModel", "x")
        raise KeyError

    def last(connection: Connection) -> int:
        record(connection, "AK1", "CreateModel", "x")
        return connection.scalars(select(event.c.id)).one()

    with pytest.raises(KeyError):
        database.run_now(fail)
    first = database.run_now(last)
    database.run_now(lambda connection: connection.execute(delete(event)))
    assert database.run_now(last) > first
