"""A database that is gone, silent or slow: callers hear of it in time, and the next call after it works."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from embedway.errors import StoreUnavailable
from embedway.store import connection as connections
from embedway.store import database as databases
from embedway.store.database import Database
from embedway.store.versions import bump, read_version
from tests.postgres import Postgres

PASSWORD = "s3cret:p@ss/word"
WRITTEN = "s3cret:p%40ss%2Fword"


def count(connection: Connection) -> int:
    bump(connection, "x")
    return read_version(connection, "x")


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


def test_after_postgresql_is_back_the_next_call_works(postgres: Postgres, postgres_database: Database) -> None:
    """Connections of before are not tried on the caller; what was committed is there."""

    async def scenario() -> None:
        assert await asyncio.gather(*(postgres_database.run(count) for _ in range(4))) is not None
        postgres.stop()
        try:
            began_s = time.monotonic()
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="try again later"):
                    await postgres_database.run(count)
            assert time.monotonic() - began_s < connections.CONNECT_S
        finally:
            postgres.start()
        assert await postgres_database.run(count) == 5
        assert sorted(await asyncio.gather(*(postgres_database.run(count) for _ in range(8)))) == list(range(6, 14))

    asyncio.run(scenario())


def test_a_transaction_that_loses_its_database_is_not_half_done(
    postgres: Postgres, postgres_database: Database
) -> None:
    """PostgreSQL is stopped between two statements of one: neither is there afterwards."""
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        bump(connection, "x")
        begun.set()
        assert go_on.wait(30)
        bump(connection, "y")

    async def scenario() -> None:
        running = asyncio.create_task(postgres_database.run(work))
        assert await asyncio.to_thread(begun.wait, 10)
        postgres.stop()
        try:
            go_on.set()
            with pytest.raises(StoreUnavailable):
                await running
        finally:
            postgres.start()
        assert await postgres_database.run(lambda connection: read_version(connection, "x")) == 0

    asyncio.run(scenario())


def test_a_silent_database_holds_up_neither_its_callers_nor_others(
    silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty callers at once all hear of it when the first attempts fail; the process's own threads stay free."""
    monkeypatch.setattr(connections, "CONNECT_S", 2)  # the least that the driver takes
    database = Database(f"postgresql://u:{WRITTEN}@127.0.0.1:{silent}/db")

    async def scenario() -> None:
        began_s = time.monotonic()
        callers = [asyncio.create_task(database.run(count)) for _ in range(20)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(asyncio.gather(*(asyncio.to_thread(time.sleep, 0) for _ in range(64))), 1)
        found = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(one) for one in found] == [StoreUnavailable] * 20
        assert time.monotonic() - began_s < 5  # one after the other on four threads they would take ten seconds
        await database.stop()

    asyncio.run(scenario())


def test_a_slow_statement_is_ended_by_postgresql(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its caller hears that the database does not answer, and others are served meanwhile."""
    monkeypatch.setattr(connections, "STATEMENT_S", 1)

    async def scenario() -> None:
        slow = asyncio.create_task(
            postgres_database.run(lambda connection: connection.execute(text("SELECT pg_sleep(9)")))
        )
        assert await postgres_database.run(count) == 1
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await slow
        assert time.monotonic() - began_s < 3

    asyncio.run(scenario())
    assert "statement timeout" in caplog.text


def test_a_caller_waits_for_a_limited_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the transaction still waits for."""
    go_on = threading.Event()

    async def scenario() -> None:
        await database.run(count)
        with monkeypatch.context() as patched:
            patched.setattr(databases, "LIMIT_S", 0.2)
            with pytest.raises(StoreUnavailable):
                await database.run(lambda connection: go_on.wait(10))
        go_on.set()
        assert await database.run(count) == 2

    asyncio.run(scenario())


def test_a_frozen_database_is_given_up_in_time_and_serves_on_when_it_thaws(
    postgres: Postgres, postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight callers on four connections that say nothing; those who gave up while they waited have changed nothing."""

    async def scenario() -> None:
        await asyncio.gather(*(postgres_database.run(count) for _ in range(4)))
        with postgres.frozen(), monkeypatch.context() as patched:
            patched.setattr(databases, "LIMIT_S", 0.3)
            began_s = time.monotonic()
            found = await asyncio.gather(*(postgres_database.run(count) for _ in range(8)), return_exceptions=True)
            assert [type(one) for one in found] == [StoreUnavailable] * 8
            assert time.monotonic() - began_s < 3
        assert await postgres_database.run(count) in range(5, 10)
        await postgres_database.stop()

    asyncio.run(scenario())


def test_an_outage_is_logged_once_and_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor the error with all that led to it holds it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    caplog.set_level(logging.DEBUG)
    database = Database(f"postgresql://u:{WRITTEN}@127.0.0.1:{port}/db")
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as caught:
            database.run_now(count)
    told = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(database.address)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "127.0.0.1/db cannot be used" in caplog.text
    assert PASSWORD not in told
    assert WRITTEN not in told


def test_the_end_of_an_outage_is_logged(
    postgres: Postgres, postgres_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """So the log tells how long it was."""
    caplog.set_level(logging.INFO, logger="embedway")
    postgres_database.run_now(count)
    postgres.stop()
    try:
        with pytest.raises(StoreUnavailable):
            postgres_database.run_now(count)
    finally:
        postgres.start()
    postgres_database.run_now(count)
    postgres_database.run_now(count)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
