"""How processes on one database learn of each other's changes: a number for each thing that is watched."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, select, text

from embedway.errors import StoreUnavailable
from embedway.store.database import Database
from embedway.store.schema import version

log = logging.getLogger(__name__)

_BUMP = text(
    "INSERT INTO version (name, value) VALUES (:name, 1) ON CONFLICT (name) DO UPDATE SET value = version.value + 1"
)  # both databases take this form

_PATIENCE_S = 5.0
"""The longest wait for what fails again and again: the log should not fill."""


def bump(connection: Connection, name: str) -> None:
    """Say, within the transaction of a change, that what `name` stands for is another now."""
    connection.execute(_BUMP, {"name": name})


def read_version(connection: Connection, name: str) -> int:
    """The number of changes so far."""
    return connection.scalar(select(version.c.value).where(version.c.name == name)) or 0


class Watch:
    """Calls `on_change` for every new number, which it asks for every `interval_s` seconds.

    It is called once at the first success too, and after an outage, whatever happened meanwhile. Changes between two
    looks are one call. When `on_change` raises, that is logged and it is called again, after ever longer waits.
    """

    def __init__(
        self, database: Database, name: str, on_change: Callable[[], Awaitable[None]], interval_s: float = 0.4
    ) -> None:
        self._database = database
        self._name = name
        self._on_change = on_change
        self._interval_s = interval_s
        self._known: int | None = None
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, in a task of the running loop."""
        self._task = asyncio.create_task(self._watch(), name=f"watch {self._name}")

    async def stop(self) -> None:
        """Stop looking; an `on_change` under way is cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def look(self) -> None:
        """Look now, and call `on_change` if there is news. Raises what it raises, and `StoreUnavailable`."""
        async with self._looking:
            try:
                found = await self._database.run(lambda connection: read_version(connection, self._name), reads=True)
            except StoreUnavailable:
                self._known = None
                raise
            if found != self._known:
                await self._on_change()
                self._known = found  # as it was read before the call: what came during it is found at the next look

    async def _watch(self) -> None:
        wait_s = self._interval_s
        while True:
            try:
                await self.look()
                wait_s = self._interval_s
            except StoreUnavailable:
                wait_s = self._interval_s  # it is fresh news that counts, and the database has said so in the log
            except Exception:
                wait_s = min(2 * wait_s, max(_PATIENCE_S, self._interval_s))
                log.exception("A change of %s could not be taken over; trying again in %.1f s", self._name, wait_s)
            await asyncio.sleep(wait_s)
