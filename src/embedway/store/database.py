"""The one database: transactions on threads of its own, and one error when it cannot be reached."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from embedway.errors import StoreUnavailable
from embedway.settings import Settings
from embedway.store.address import Address, default_url
from embedway.store.connection import CONNECT_S, STATEMENT_S, make_engine, prepare_file, reading, unreachable
from embedway.store.migration import migrate
from embedway.store.threads import Threads

log = logging.getLogger(__name__)
T = TypeVar("T")

LIMIT_S = CONNECT_S + STATEMENT_S
"""Seconds after which a caller is told that the database does not answer, whatever its thread still waits for."""
STOP_S = 5.0
"""Seconds that transactions get to end when the process does."""
_SILENT = "The database does not answer: try again later."


class Database:
    """SQLite or PostgreSQL behind one URL: `sqlite:///FILE` or `postgresql://…`. Raises `SettingsError` for any other.

    Nothing is opened before the first transaction, which makes the file, connects, and brings the tables to the newest
    revision. At most `threads` transactions of `run` are under way at a time; others wait for their turn.
    """

    def __init__(self, url: str, threads: int = 4) -> None:
        self.address = Address(url)
        self._threads = Threads(threads)
        self._connections = threads + 1  # one for `run_now`
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._failed_s = 0.0
        self._reachable = True

    async def run(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        """Do `work` in one transaction on a thread of the store: committed when it returns, rolled back when it raises.

        `reads` promises that it changes nothing: it then sees one snapshot, and neither waits for writers nor holds
        them up. Raises `StoreUnavailable` when the database cannot be reached or does not answer within `LIMIT_S`;
        what violates a constraint is SQLAlchemy's `IntegrityError`. A caller that is cancelled, or whose time is up,
        leaves a transaction that has begun to its end.
        """
        future = asyncio.wrap_future(self._submit(partial(self._transact, work, reads, time.monotonic())))
        try:
            await asyncio.wait((future,), timeout=LIMIT_S)
            if not future.done():
                raise self._unavailable(f"no answer within {LIMIT_S} s")
            return future.result()
        finally:
            future.cancel()  # one that waits for a thread is not begun any more

    def run_now(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        """The same on the calling thread, which waits."""
        return self._transact(work, reads, time.monotonic())

    @property
    def reachable(self) -> bool:
        """Whether it answered when it was last asked; True before the first time."""
        return self._reachable

    async def stop(self) -> None:
        """Take no more work, let what has begun end, and close the connections."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """The same on the calling thread, which waits `STOP_S` at most."""
        self._threads.stop(STOP_S)
        if self._engine is not None:
            self._engine.dispose()

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        try:
            return self._threads.submit(work)
        except RuntimeError:
            raise StoreUnavailable("The server is stopping; the database takes no more work.") from None

    def _transact(self, work: Callable[[Connection], T], reads: bool, asked_s: float) -> T:
        try:
            with self._connect(asked_s) as connection, (reading(connection) if reads else connection).begin():
                result = work(connection)
        except (DBAPIError, PoolTimeout) as error:
            if not unreachable(error):
                raise
            raise self._unavailable(error) from None  # what a driver says may name more than a caller should read
        self._answered()
        return result

    def _connect(self, asked_s: float) -> Connection:
        """A connection of the pool. Attempts that failed since `asked_s` count: each would wait as long again."""
        try:
            if self._engine is None:
                with self._opening:
                    self._check(asked_s)
                    self._engine = self._engine or self._open()
            self._check(asked_s)
            return self._engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            if unreachable(error):
                self._failed_s = time.monotonic()
            raise

    def _check(self, asked_s: float) -> None:
        if self._failed_s > asked_s:
            raise StoreUnavailable(_SILENT)

    def _open(self) -> Engine:
        try:
            prepare_file(self.address)
        except StoreUnavailable as error:
            self._unavailable(error.message)  # said in the log, and to the caller as it is
            raise
        engine = make_engine(self.address, self._connections)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _unavailable(self, why: object) -> StoreUnavailable:
        """The error for a caller. The log says why, once in an outage."""
        if self._reachable:
            self._reachable = False
            found = getattr(why, "orig", None) or why
            log.warning("The database %s cannot be used: %s", self.address, self.address.redact(str(found)))
        return StoreUnavailable(_SILENT)

    def _answered(self) -> None:
        if not self._reachable:
            self._reachable = True
            log.info("The database %s answers again.", self.address)


def open_database(settings: Settings) -> Database:
    """The configured database, else a SQLite file in the folder of the user's data; opened by its first transaction."""
    return Database(settings.database_url or default_url())
