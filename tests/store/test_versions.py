"""Versions: processes on one database hear of each other's changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from embedway.errors import StoreUnavailable
from embedway.store.database import Database
from embedway.store.versions import Watch, bump, read_version
from tests.postgres import Postgres

FAST_S = 0.02


def bump_models(connection: Connection) -> None:
    bump(connection, "models")


class Calls:
    """Counts the calls of `on_change`, and makes the next ones fail."""

    def __init__(self) -> None:
        self.count = 0
        self.failures = 0

    async def __call__(self) -> None:
        self.count += 1
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not now")

    async def reach(self, count: int, within_s: float = 5.0) -> None:
        until_s = time.monotonic() + within_s
        while self.count < count:
            assert time.monotonic() < until_s, f"{self.count} calls, not {count}"
            await asyncio.sleep(0.005)


def watched(database: Database, scenario: Callable[[Calls], Awaitable[None]], interval_s: float = FAST_S) -> None:
    """Run a scenario while a watch looks."""

    async def run() -> None:
        calls = Calls()
        watch = Watch(database, "models", calls, interval_s)
        watch.start()
        try:
            await scenario(calls)
        finally:
            await watch.stop()

    asyncio.run(run())


def test_a_version_counts_the_committed_changes(database: Database) -> None:
    """Each name has its own; what is rolled back does not count."""

    def fail(connection: Connection) -> None:
        bump(connection, "models")
        raise KeyError

    assert database.run_now(lambda connection: read_version(connection, "models")) == 0
    for _ in range(3):
        database.run_now(bump_models)
        with pytest.raises(KeyError):
            database.run_now(fail)
    assert database.run_now(lambda connection: read_version(connection, "models")) == 3
    assert database.run_now(lambda connection: read_version(connection, "keys")) == 0


def test_a_watch_calls_at_first_and_for_news_only(database: Database) -> None:
    """Once when it can first look; then once for a change, and not at all for other names."""

    async def scenario(calls: Calls) -> None:
        await calls.reach(1)
        await database.run(bump_models)
        await calls.reach(2)
        await database.run(lambda connection: bump(connection, "keys"))
        await asyncio.sleep(5 * FAST_S)
        assert calls.count == 2

    watched(database, scenario)


def test_another_process_is_heard_within_a_second(database: Database) -> None:
    """Through a connection of its own, with the interval that the server has."""
    other = Database(database.address.url.render_as_string(hide_password=False))

    async def scenario(calls: Calls) -> None:
        await calls.reach(1)
        await other.run(bump_models)
        await calls.reach(2, within_s=1)

    watched(database, scenario, interval_s=0.4)
    other.close()


def test_a_change_that_could_not_be_taken_over_is_tried_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged, and the watch goes on."""

    async def scenario(calls: Calls) -> None:
        await calls.reach(1)
        calls.failures = 2
        await database.run(bump_models)
        await calls.reach(4)
        await asyncio.sleep(5 * FAST_S)
        assert calls.count == 4

    watched(database, scenario)
    assert caplog.text.count("could not be taken over") == 2


def test_a_change_during_the_call_is_not_missed(database: Database) -> None:
    """The number that counts is the one read before the call."""

    async def run() -> None:
        seen: list[int] = []

        async def on_change() -> None:
            seen.append(await database.run(lambda connection: read_version(connection, "models")))
            if len(seen) < 3:
                await database.run(bump_models)

        watch = Watch(database, "models", on_change, FAST_S)
        for _ in range(6):
            await watch.look()
        assert seen == [0, 1, 2]

    asyncio.run(run())


def test_after_an_outage_a_watch_calls_again(postgres: Postgres, postgres_database: Database) -> None:
    """Whatever the number is: the database may be another, restored one."""

    async def scenario(calls: Calls) -> None:
        await calls.reach(1)
        postgres.stop()
        try:
            with pytest.raises(StoreUnavailable):
                await postgres_database.run(bump_models)
            await asyncio.sleep(5 * FAST_S)
            assert calls.count == 1
        finally:
            postgres.start()
        await calls.reach(2, within_s=1)

    watched(postgres_database, scenario)


def test_a_watch_begins_without_a_database(postgres: Postgres, postgres_database: Database) -> None:
    """It calls once the database is there."""

    async def scenario(calls: Calls) -> None:
        await asyncio.sleep(5 * FAST_S)
        assert calls.count == 0
        postgres.start()
        await calls.reach(1)

    postgres.stop()
    try:
        watched(postgres_database, scenario)
    finally:
        if not postgres.running:
            postgres.start()
