"""The store as the application uses it: opened in the background, when the server already listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from embedway.errors import SetupError
from embedway.settings import Settings
from embedway.store.folder import default_file

if TYPE_CHECKING:  # SQLAlchemy and cryptography take long to import: a server listens first
    from embedway.store.database import Database
    from embedway.store.vault import Vault

log = logging.getLogger(__name__)

OPEN_S = 5.0
"""Seconds that a request waits for the store to be opened."""
LOOK_S = 0.4
"""Seconds between two looks for a file that another process may make."""


class Stored(Protocol):
    """A part of the application that keeps something in the store."""

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to use the store, which may be out of reach just now."""

    async def close(self) -> None:
        """End what uses the store."""


class Storage:
    """Opens the store for its parts in the background, and closes it after them.

    A configured database is opened at once, and so is the default file that is there or appears, or that a server with
    API keys needs for their usage. Else nothing is made before something asks for it: a server that only embeds for
    this machine never does.
    """

    def __init__(self, settings: Settings, on_failure: Callable[[SetupError], None]) -> None:
        """`on_failure` hears of settings with which no store can ever be opened; a database that is away is waited
        for.
        """
        self._settings = settings
        self._on_failure = on_failure
        self._asked = asyncio.Event()
        self._settled = asyncio.Event()
        self._waiting: tuple[Callable[[], None], ...] = ()

    def tell(self, *waiting: Callable[[], None]) -> None:
        """Call these as soon as there is a store that is not open yet: at once, or when one appears."""
        self._waiting = waiting
        if stored(self._settings):
            self._tell()

    def _tell(self) -> None:
        for found in self._waiting:
            found()

    async def ready(self) -> None:
        """Return when the parts have begun to use the store, or cannot, which they then say themselves."""
        self._asked.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), OPEN_S)

    @contextlib.asynccontextmanager
    async def serving(self, parts: Sequence[Stored]) -> AsyncIterator[None]:
        """Open, and close in the reverse order."""
        opened: list[Database] = []

        async def open_all() -> None:
            await self._need()
            self._tell()
            try:
                database, vault = await asyncio.to_thread(_make, self._settings)
                opened.append(database)
                for part in parts:
                    await part.open(database, vault)
            except SetupError as error:
                self._on_failure(error)
            except Exception:
                log.exception("The store cannot be used.")
            self._settled.set()

        opening = asyncio.create_task(open_all(), name="open the store")
        try:
            yield
        finally:
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening
            for part in reversed(parts):
                try:
                    await part.close()
                except Exception:  # the others have something to keep too
                    log.exception("A part of the store could not be closed.")
            for database in opened:
                await database.stop()

    async def _need(self) -> None:
        """Return when a store is wanted."""
        if self._settings.database_url is not None or self._settings.api_key_sha256:
            return
        file = default_file()
        while not self._asked.is_set() and not file.exists():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), LOOK_S)


def stored(settings: Settings) -> bool:
    """Whether there is a store: one is configured, or the default file exists."""
    return settings.database_url is not None or default_file().exists()


def _make(settings: Settings) -> tuple[Database, Vault]:
    from embedway.store.database import open_database
    from embedway.store.vault import open_vault

    database = open_database(settings)
    return database, open_vault(settings, database)
