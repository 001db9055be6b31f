"""The registry as this server has it: the catalogue of the store, joined with the engine that serves its models."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

from embedway.engine.engine import Engine
from embedway.errors import ModelNotFound, StoreUnavailable
from embedway.settings import Settings
from embedway.types import GLOBAL, Caller, RemoteSpec

if TYPE_CHECKING:  # SQLAlchemy and cryptography take long to import: a server listens first
    from embedway.backends.trace import Trace
    from embedway.catalog.catalog import Catalog
    from embedway.store.database import Database
    from embedway.store.vault import Vault
    from embedway.store.versions import Watch

log = logging.getLogger(__name__)

DEBUG_S = 9.0
"""Seconds that Debug waits for a model: the vendor's client waits 10 s for the reply."""


class Registry:
    """Closed until the store is there. What another process changes is served here within a second; with the store
    gone, the models last known go on.
    """

    def __init__(
        self, settings: Settings, engine: Engine, store_ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`store_ready` returns when the store has been opened, which it may have to be first."""
        self._settings = settings
        self._store_ready = store_ready
        self._engine = engine
        self._database: Database | None = None
        self._catalog: Catalog | None = None
        self._watch: Watch | None = None
        self._probing: asyncio.Task[None] | None = None

    async def catalog(self) -> Catalog:
        """Raises `StoreUnavailable` while there is no store."""
        if self._catalog is None and self._store_ready is not None:
            await self._store_ready()
        if self._catalog is None:
            raise StoreUnavailable("The registry has no database at the moment: try again soon.")
        return self._catalog

    @property
    def up(self) -> bool:
        """Whether the database answered when it was last asked."""
        return self._database is not None and self._database.reachable

    async def ask(self, remote: RemoteSpec, given: str, phase: Literal["build", "search"]) -> Trace:
        """Send one input to a remote model once; never raises for what it does."""
        from embedway.backends.trace import ask

        return await ask(
            dataclasses.replace(remote, attempts=1, timeout_s=min(remote.timeout_s, DEBUG_S)), given, phase
        )

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to serve what is registered, and to look after it."""
        from embedway.catalog.catalog import VERSION
        from embedway.catalog.probe import Prober
        from embedway.catalog.wiring import make_catalog
        from embedway.store.versions import Watch

        self._database = database
        self._watch = Watch(database, VERSION, self._serve)
        self._catalog = make_catalog(self._settings, database, vault, taken=self._is_global, changed=self._look)
        self._watch.start()
        prober = Prober(self._catalog, self._settings.probe_interval_s)
        self._probing = asyncio.create_task(prober.run(), name="probe registered models")

    async def close(self) -> None:
        """Look after nothing any more; the engine keeps its models."""
        if self._watch is not None:
            await self._watch.stop()
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing

    async def _serve(self) -> None:
        """Make the engine's registered models those of the catalogue."""
        self._engine.register(await (await self.catalog()).specs())

    async def _look(self) -> None:
        """Take over a change of our own at once. What is stored is stored, even if the database has gone since."""
        if self._watch is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._watch.look()

    def _is_global(self, name: str) -> bool:
        try:
            self._engine.find(name, Caller(namespace=GLOBAL))
        except ModelNotFound:
            return False
        return True
