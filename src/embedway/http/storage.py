"""The store as the application uses it: opened in the background, when the server already listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from embedway.errors import SetupError
from embedway.settings import Settings

if TYPE_CHECKING:  # SQLAlchemy and cryptography take long to import: a server listens first
    from embedway.store.database import Database
    from embedway.store.vault import Vault


class Stored(Protocol):
    """A part of the application that keeps something in the store."""

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to use the store, which may be out of reach just now."""

    async def close(self) -> None:
        """End what uses the store."""


@contextlib.asynccontextmanager
async def storage(
    settings: Settings, parts: Sequence[Stored], on_failure: Callable[[SetupError], None]
) -> AsyncIterator[None]:
    """Open the store for these parts in the background, and close it after them. `on_failure` hears of settings with
    which no store can ever be opened; a database that is away is waited for.
    """
    opened: list[Database] = []

    async def open_all() -> None:
        try:
            database, vault = await asyncio.to_thread(_make, settings)
        except SetupError as error:
            on_failure(error)
            return
        opened.append(database)
        for part in parts:
            await part.open(database, vault)

    opening = asyncio.create_task(open_all(), name="open the store")
    try:
        yield
    finally:
        opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        for part in reversed(parts):
            await part.close()
        for database in opened:
            await database.stop()


def _make(settings: Settings) -> tuple[Database, Vault]:
    from embedway.store.database import open_database
    from embedway.store.vault import open_vault

    database = open_database(settings)
    return database, open_vault(settings, database)
