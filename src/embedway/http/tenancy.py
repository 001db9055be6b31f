"""Workspaces, keys and deployments as this server has them: the store, and the deployments that it answers for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from embedway.engine.engine import Engine
from embedway.errors import (
    EmbedwayError,
    ModelNotFound,
    NoPermission,
    SettingsError,
    SetupError,
    StoreUnavailable,
    Unavailable,
)
from embedway.settings import Deployment, Settings
from embedway.types import DEFAULT_NAMESPACE, Caller

if TYPE_CHECKING:  # SQLAlchemy and cryptography take long to import: a server listens first
    from sqlalchemy import Connection

    from embedway.catalog.deployments import Row
    from embedway.store.database import Database
    from embedway.store.vault import Vault
    from embedway.store.versions import Watch

log = logging.getLogger(__name__)
T = TypeVar("T")


class Tenancy:
    """Closed until the store is there. A deployment that another process changes is another here within a second; with
    the store gone, those last known go on.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        store_ready: Callable[[], Awaitable[None]] | None = None,
        keys_changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`store_ready` returns when the store has been opened, which it may have to be first; `keys_changed` when a
        change of a key is this server's too.
        """
        self.engine = engine
        self.configured = {one.id: one for one in settings.deployment}
        self.declared = frozenset({DEFAULT_NAMESPACE, *(one.workspace for one in settings.deployment)})
        """The workspaces that need no row."""
        self._store_ready = store_ready
        self._keys_changed = keys_changed
        self._database: Database | None = None
        self._vault: Vault | None = None
        self._watch: Watch | None = None
        self._stored: dict[str, Row] = {}
        self._expected, self._read = False, False

    def expect(self) -> None:
        """There is a store, which has not been read yet."""
        self._expected = True

    def find(self, name: str) -> tuple[Deployment, bool]:
        """The deployment of this id, and whether it runs. Raises `ModelNotFound`, and `StoreUnavailable` while nobody
        can tell.
        """
        if name in self.configured:
            return self.configured[name], True
        if name in self._stored:
            row = self._stored[name]
            return row.deployment, row.running
        if self._expected and not self._read:
            raise StoreUnavailable("The database with the deployments has not been read yet: try again soon.")
        raise ModelNotFound(f"The deployment '{name[:200]}' does not exist.", name)

    def served(self, workspace: str) -> Sequence[tuple[Deployment, bool]]:
        """The deployments of a workspace, each with whether it runs; the configuration's first."""
        stored = [row for row in self._stored.values() if row.id not in self.configured]
        return [
            *((one, True) for one in self.configured.values() if one.workspace == workspace),
            *((row.deployment, row.running) for row in stored if row.workspace == workspace),
        ]

    def may_use(self, model: str, caller: Caller) -> bool:
        """Whether the caller may use what a deployment calls `model`, by that name or by the model's own."""
        try:
            self.engine.find(model, caller)
        except NoPermission:
            return False
        except EmbedwayError:
            return caller.may_use(model)
        return True

    def check_use(self, model: str, caller: Caller) -> None:
        """Raises `NoPermission` where `may_use` says no."""
        if not self.may_use(model, caller):
            raise NoPermission("Your API key may not use the model of this deployment.")

    async def run(self, work: Callable[[Connection], T], *, reads: bool = False) -> T:
        """Work in one transaction. Raises `StoreUnavailable`."""
        if self._database is None and self._store_ready is not None:
            await self._store_ready()
        if self._database is None:
            raise StoreUnavailable("There is no database at the moment: try again soon.")
        return await self._database.run(work, reads=reads)

    async def change_keys(self, work: Callable[[Connection], T]) -> T:
        """The same for a change of keys, which holds here when this returns. Raises `StoreUnavailable`."""
        result = await self.run(work)
        if self._keys_changed is not None:
            await self._keys_changed()
        return result

    async def changed(self) -> None:
        """Take over a change of our own at once. What is stored is stored, even if the database has gone since."""
        if self._watch is not None:
            try:
                await self._watch.look()
            except StoreUnavailable:
                return

    def seal(self, text: str) -> str:
        """Encrypted by the vault, within a transaction. Raises `Unavailable`."""
        return _guard(self._opened_vault().seal, text)

    def unseal(self, sealed: str) -> str:
        """The text again. Raises `Unavailable`."""
        return _guard(self._opened_vault().unseal, sealed)

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to answer for stored deployments."""
        from embedway.catalog.deployments import VERSION
        from embedway.store.versions import Watch

        self._vault = vault
        self._watch = Watch(database, VERSION, self._reload)
        self._database = database
        try:
            await self._watch.look()
        except SetupError:
            raise
        except Exception:
            log.info("The deployments of the database could not be read yet.")
        self._watch.start()

    async def close(self) -> None:
        if self._watch is not None:
            await self._watch.stop()

    async def _reload(self) -> None:
        from embedway.catalog.deployments import read_all

        self._stored = {row.id: row for row in await self.run(read_all, reads=True)}
        self._read = True

    def _opened_vault(self) -> Vault:
        if self._vault is None:
            raise StoreUnavailable("There is no database at the moment: try again soon.")
        return self._vault


def _guard(work: Callable[[str], str], text: str) -> str:
    """What the vault makes of a text; the log says why it cannot, the caller only that."""
    try:
        return work(text)
    except SettingsError as error:
        log.error("%s", error.message)  # noqa: TRY400 -- it is a sentence for who set the keys
        raise Unavailable("The token of this deployment cannot be used; the server's log says why.") from error
