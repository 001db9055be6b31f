"""Transactions: whole or not at all, on threads of the store, the same on both databases."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, Insert, delete, insert, select, text
from sqlalchemy.exc import IntegrityError

from embedway.configuration import load_settings
from embedway.errors import SettingsError, StoreUnavailable
from embedway.store import connection as connections
from embedway.store.database import Database, open_database
from embedway.store.schema import instance


def add(name: str) -> Insert:
    return insert(instance).values(id=name, created_s=1.5)


def names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(instance.c.id).order_by(instance.c.id)))


def test_a_transaction_is_committed_when_its_work_returns(database: Database) -> None:
    """What the work returns is what `run` returns; the next transaction sees its rows, with every value as it was."""

    async def scenario() -> None:
        assert await database.run(lambda connection: connection.execute(add("a")) and "done") == "done"
        rows = await database.run(lambda connection: connection.execute(select(instance)).all(), reads=True)
        assert [tuple(row) for row in rows] == [("a", 1.5)]

    asyncio.run(scenario())


def test_a_transaction_is_rolled_back_when_its_work_raises(database: Database) -> None:
    """The error arrives as it was raised, and no row is there."""

    def work(connection: Connection) -> None:
        connection.execute(add("a"))
        raise KeyError("no")

    async def scenario() -> None:
        with pytest.raises(KeyError):
            await database.run(work)
        assert await database.run(names) == []

    asyncio.run(scenario())


def test_tables_are_made_in_one_transaction_with_rows(database: Database) -> None:
    """Not even a table outlives the transaction that made it, when that fails."""

    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE extra (id INTEGER)"))
        raise KeyError("no")

    with pytest.raises(KeyError):
        database.run_now(work)
    database.run_now(lambda connection: connection.execute(text("CREATE TABLE extra (id INTEGER)")))


def test_a_constraint_is_the_callers_business(database: Database) -> None:
    """A name that is taken is an `IntegrityError`, and bad SQL its own error: the database is not to blame."""
    database.run_now(lambda connection: connection.execute(add("a")))
    with pytest.raises(IntegrityError):
        database.run_now(lambda connection: connection.execute(add("a")))
    with pytest.raises(Exception, match="nowhere") as caught:
        database.run_now(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")))
    assert not isinstance(caught.value, StoreUnavailable)
    with pytest.raises(Exception, match=r"type") as caught:
        database.run_now(lambda connection: connection.execute(insert(instance).values(id=object(), created_s=0)))
    assert not isinstance(caught.value, StoreUnavailable)


def test_errors_hold_no_values(database: Database) -> None:
    """A statement that fails does not tell what it was to write: it could be a secret."""
    row = insert(instance).values(id="a", created_s=271828.0)
    database.run_now(lambda connection: connection.execute(row))
    with pytest.raises(IntegrityError) as caught:
        database.run_now(lambda connection: connection.execute(row))
    assert "271828" not in str(caught.value)


def test_readers_see_one_snapshot_and_hold_up_nobody(database: Database) -> None:
    """A read that has begun does not see what is committed meanwhile, and the writer does not wait for it."""
    begun, written = threading.Event(), threading.Event()

    def read(connection: Connection) -> tuple[list[str], list[str]]:
        first = names(connection)
        begun.set()
        assert written.wait(10)
        return first, names(connection)

    async def scenario() -> None:
        await database.run(lambda connection: connection.execute(add("a")))
        reading = asyncio.create_task(database.run(read, reads=True))
        assert await asyncio.to_thread(begun.wait, 10)
        await database.run(lambda connection: connection.execute(add("b")))
        assert await database.run(names, reads=True) == ["a", "b"]
        written.set()
        assert await reading == (["a"], ["a"])

    asyncio.run(scenario())


def test_a_read_changes_nothing(database: Database) -> None:
    """A work that breaks its promise fails, and the next transaction may write again."""
    with pytest.raises(Exception, match=r"read-?\s?only|does not answer"):
        database.run_now(lambda connection: connection.execute(add("a")), reads=True)
    for _ in range(6):
        database.run_now(lambda connection: connection.execute(delete(instance)))
        database.run_now(lambda connection: connection.execute(add("a")))


def test_a_transaction_that_reads_first_may_write_later(database: Database) -> None:
    """Forty at once count one number up, each from what it has read: none is refused and none is lost."""

    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE instance"))
        found = connection.scalar(select(instance.c.created_s))
        connection.execute(delete(instance))
        connection.execute(insert(instance).values(id="count", created_s=(found or 0) + 1))

    async def scenario() -> None:
        await asyncio.gather(*(database.run(work) for _ in range(40)))
        assert await database.run(lambda connection: connection.scalar(select(instance.c.created_s))) == 40

    asyncio.run(scenario())


def test_transactions_run_on_threads_of_the_store(database: Database) -> None:
    """Never on the event loop's thread, and on no more threads than were asked for."""

    async def scenario() -> set[str]:
        def work(connection: Connection) -> str:
            time.sleep(0.01)
            return threading.current_thread().name

        return set(await asyncio.gather(*(database.run(work) for _ in range(12))))

    assert asyncio.run(scenario()) <= {f"store {number}" for number in range(4)}


def test_a_cancelled_caller_leaves_what_waits_undone(database: Database) -> None:
    """A work that waits for a thread is dropped with its caller; one that has begun is committed."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        connection.execute(add("held"))

    async def scenario() -> None:
        holders = [asyncio.create_task(database.run(hold, reads=False))]
        assert await asyncio.to_thread(begun.wait, 10)
        blockers = [asyncio.create_task(database.run(lambda connection: go_on.wait(10), reads=True)) for _ in range(3)]
        waiting = asyncio.create_task(database.run(lambda connection: connection.execute(add("late"))))
        await asyncio.sleep(0.1)
        for task in (*holders, waiting):
            task.cancel()
        await asyncio.gather(*holders, waiting, return_exceptions=True)
        go_on.set()
        await asyncio.gather(*blockers)
        await database.stop()  # returns when what had begun has ended
        assert database.run_now(names) == ["held"]

    asyncio.run(scenario())


def test_after_the_stop_nothing_is_taken(database: Database) -> None:
    """What had begun is finished first."""

    async def scenario() -> None:
        def slow(connection: Connection) -> None:
            time.sleep(0.2)
            connection.execute(add("slow"))

        task = asyncio.create_task(database.run(slow))
        await asyncio.sleep(0.1)
        await database.stop()
        await task
        with pytest.raises(StoreUnavailable, match="stopping"):
            await database.run(names)
        assert database.run_now(names) == ["slow"]
        database.close()

    asyncio.run(scenario())


def test_the_file_is_for_this_users_eyes_only(tmp_path: Path) -> None:
    """The folder has mode 0700 and the file 0600; what SQLite puts beside it, too."""
    folder = tmp_path / "a" / "b"
    database = Database(f"sqlite:///{folder / 'x.db'}")
    assert not folder.exists()

    def modes(connection: Connection) -> dict[str, int]:
        return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}

    assert database.run_now(modes) == {"b": 0o700, "x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}
    database.close()


def test_sqlite_is_set_up_for_durability(sqlite_database: Database) -> None:
    """Write-ahead log, a flush at each commit, foreign keys."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}

    def read(connection: Connection) -> dict[str, object]:
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    assert sqlite_database.run_now(read) == wanted


def test_the_default_is_a_file_in_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$XDG_DATA_HOME/embedway/embedway.db`, made by the first transaction."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "da ta"))
    database = open_database(load_settings())
    assert database.address.file == tmp_path / "da ta" / "embedway" / "embedway.db"
    assert database.run_now(names) == []
    assert database.address.file.exists()
    database.close()


def test_a_writer_that_holds_the_lock_is_waited_for(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction of another process is waited for; when it does not end in time, the database is unavailable."""
    monkeypatch.setattr(connections, "STATEMENT_S", 0.3)
    sqlite_database.run_now(names)
    other = Database(str(sqlite_database.address.url))
    begun, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        begun.set()
        go_on.wait(10)

    async def scenario() -> None:
        holding = asyncio.create_task(other.run(hold))
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(StoreUnavailable):
            await sqlite_database.run(lambda connection: connection.execute(add("a")))
        waiting = asyncio.create_task(sqlite_database.run(lambda connection: connection.execute(add("a"))))
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.gather(waiting, holding)
        assert await sqlite_database.run(names) == ["a"]
        await other.stop()

    asyncio.run(scenario())


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    """The error names the file, and the file is as it was."""
    (tmp_path / "x.db").write_bytes(b"precious" * 1000)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(SettingsError, match=r"x\.db is no database"):
        database.run_now(names)
    assert (tmp_path / "x.db").read_bytes() == b"precious" * 1000


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be; once it is gone, the next call works."""
    (tmp_path / "taken").write_text("x")
    database = Database(f"sqlite:///{tmp_path / 'taken' / 'x.db'}")
    with pytest.raises(StoreUnavailable, match="taken"):
        database.run_now(names)
    (tmp_path / "taken").unlink()
    assert database.run_now(names) == []
    database.close()


def test_a_thread_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    """Python waits for the threads of its own executors, the store's end with the process."""
    script = (
        "import threading, time; from embedway.store.threads import Threads; "
        "begun = threading.Event(); threads = Threads(1); "
        "threads.submit(lambda: (begun.set(), time.sleep(60))); begun.wait(10); threads.stop(0.1)"
    )
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
    assert time.monotonic() - began_s < 20
