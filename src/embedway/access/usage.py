"""What was used: requests, errors and tokens of each key, namespace, model and day (UTC).

Counted in memory and added to the database twice a second, so that a killed process loses less than a second of it.
While the database is gone the counts wait in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from embedway.errors import StoreUnavailable
from embedway.settings import hash_secret

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from embedway.store.database import Database
    from embedway.store.vault import Vault

log = logging.getLogger(__name__)

FLUSH_S = 0.5
MAX_PLACES = 10_000
"""Told apart in a day."""
MAX_NAME = 128
"""Characters of a namespace; a longer one is known by its SHA-256."""
Place = tuple[str, str, str, str]
"""Day, key, namespace, model."""


@dataclass(slots=True)
class Counts:
    """Of one place. `tokens` are tokens consumed."""

    requests: int = 0
    errors: int = 0
    tokens: int = 0

    def add(self, other: Counts) -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.tokens += other.tokens


class UsageLog:
    """Counts, and brings the counts to the database once there is one. For the event loop's thread."""

    def __init__(self, store_ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """`store_ready` returns when the store has been opened, which it may have to be first."""
        self._store_ready = store_ready
        self._database: Database | None = None
        self.counts: dict[Place, Counts] = {}
        self._day = ""
        self._places: set[Place] = set()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, key: str, namespace: str, used: Sequence[tuple[str, int]], failed: bool) -> None:
        """Count one request, and the tokens of the models that answered it; one that reached none has no model."""
        day = time.strftime("%Y-%m-%d", time.gmtime())
        first, namespace = used[0][0] if used else "", _name(namespace)
        self._at((day, key, namespace, first)).add(Counts(requests=1, errors=int(failed)))
        for model, tokens in used:
            self._at((day, key, namespace, model)).tokens += tokens

    def add_later(self, key: str, namespace: str, model: str, tokens: int, failed: bool) -> None:
        """Count what came of a request after its answer; the request itself was counted with that."""
        place = (time.strftime("%Y-%m-%d", time.gmtime()), key, _name(namespace), model)
        self._at(place).add(Counts(errors=int(failed), tokens=tokens))

    def _at(self, place: Place) -> Counts:
        """The counts of a place. Anyone may write any namespace into a path: beyond a bound, all of a day are one."""
        if self._day != place[0]:
            self._day, self._places = place[0], set()
        if place not in self._places:
            if len(self._places) >= MAX_PLACES:
                place = (place[0], "", "", "")
            self._places.add(place)
        return self.counts.setdefault(place, Counts())

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to write, in a task of the running loop."""
        self._database = database
        self._task = asyncio.create_task(self._write(), name="usage")

    async def close(self) -> None:
        """Write what is left."""
        self._stopping.set()
        if self._task:
            await self._task

    async def read(self, since: str, until: str, by: Sequence[str]) -> Sequence[UsageRow]:
        """As `read_usage`, with what this process has counted so far. Raises `StoreUnavailable`."""
        if self._database is None and self._store_ready is not None:
            await self._store_ready()
        if self._database is None:
            raise StoreUnavailable("The database that usage is kept in is not open.")
        await self.flush()
        return await self._database.run(partial(read_usage, since=since, until=until, by=by), reads=True)

    async def flush(self) -> None:
        """Add what was counted to the database. Raises `StoreUnavailable`; then nothing is lost."""
        if not self.counts or self._database is None:
            return
        taken, self.counts = self.counts, {}
        try:
            await self._database.run(lambda connection: add_counts(connection, taken))
        except BaseException:  # a transaction that may have been committed after all is counted again: rather twice
            for place, counts in taken.items():
                self._at(place).add(counts)
            raise

    async def _write(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), FLUSH_S)
            try:
                await self.flush()
            except StoreUnavailable:
                pass  # the database has said so in the log
            except Exception:
                log.exception("Usage could not be written; it is tried again.")


def _name(given: str) -> str:
    """A namespace as a table can hold it."""
    return given if len(given) <= MAX_NAME and given.isprintable() else hash_secret(given)


def add_counts(connection: Connection, counts: Mapping[Place, Counts]) -> None:
    """Add to what the database has, whatever other processes add at the same time."""
    from sqlalchemy import text

    rows = [
        {
            **dict(zip(("day", "key", "namespace", "model"), place, strict=True)),
            "requests": one.requests,
            "errors": one.errors,
            "tokens": one.tokens,
        }
        for place, one in sorted(counts.items())  # in one order, so that two processes never wait for each other
    ]
    connection.execute(
        text(
            "INSERT INTO usage (day, key, namespace, model, requests, errors, tokens) "
            "VALUES (:day, :key, :namespace, :model, :requests, :errors, :tokens) "
            "ON CONFLICT (day, key, namespace, model) DO UPDATE SET requests = usage.requests + excluded.requests, "
            "errors = usage.errors + excluded.errors, tokens = usage.tokens + excluded.tokens"
        ),
        rows,
    )


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used in one place, or in several that a report puts together; their names are then empty."""

    day: str
    key: str
    namespace: str
    model: str
    requests: int
    errors: int
    tokens: int


COLUMNS: Sequence[str] = ("day", "key", "namespace", "model")


def read_usage(
    connection: Connection, since: str = "", until: str = "9999", by: Iterable[str] = COLUMNS
) -> Sequence[UsageRow]:
    """The sums from day `since` to day `until`, both included, for each value of the columns `by`, in their order."""
    from sqlalchemy import func, literal, select

    from embedway.store.schema import usage

    chosen = set(by)
    names = [usage.c[name] if name in chosen else literal("").label(name) for name in COLUMNS]
    groups = [usage.c[name] for name in COLUMNS if name in chosen]
    sums = [func.sum(usage.c[name]).label(name) for name in ("requests", "errors", "tokens")]
    asked = select(*names, *sums).where(usage.c.day >= since, usage.c.day <= until)
    if groups:
        asked = asked.group_by(*groups).order_by(*groups)
    return [
        UsageRow(row.day, row.key, row.namespace, row.model, int(row.requests), int(row.errors), int(row.tokens))
        for row in connection.execute(asked)
        if row.requests is not None
    ]
