"""Reductions that are trained over the API: which of them this server applies, and the worker that trains."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, StoreUnavailable
from embedway.jobs.jobs import Count, ignore
from embedway.settings import Settings
from embedway.types import Caller, ModelSpec

if TYPE_CHECKING:  # SQLAlchemy takes long to import: a server listens first
    from embedway.jobs.worker import Worker
    from embedway.store.database import Database
    from embedway.store.vault import Vault
    from embedway.store.versions import Watch

AT_A_TIME = 1
"""Trainings that one server runs at once."""


class Trainings:
    """What one server trains, every server of the store applies, if they share the folder of data."""

    def __init__(self, settings: Settings, engine: Engine, count: Count = ignore) -> None:
        """`count` is told how each run ended."""
        self._settings = settings
        self._engine = engine
        self._count = count
        self._served: Mapping[tuple[str, str], str] = {}
        self._expected, self._read = False, False
        self._database: Database | None = None
        self._watch: Watch | None = None
        self._worker: Worker | None = None

    def expect(self) -> None:
        """There is a store, which has not been read yet."""
        self._expected = True

    def find(self, workspace: str, name: str) -> str | None:
        """The folder of the newest artefact. Raises `StoreUnavailable` while nobody can tell."""
        if self._expected and not self._read:
            raise StoreUnavailable("The database with the trained reductions has not been read yet: try again soon.")
        run = self._served.get((workspace, name))
        if run is None:
            return None
        from embedway.catalog.training import folder_of

        return str(folder_of(self.root, workspace, name, run))

    @property
    def root(self) -> Path:
        """The folder of data, which holds the artefacts. Raises `StoreUnavailable`."""
        if self._database is None:
            raise StoreUnavailable("There is no database at the moment: try again soon.")
        return self._database.address.folder

    def find_model(self, name: str, workspace: str) -> ModelSpec:
        """A base for a training. Raises `ModelNotFound`, `Forbidden`, `InvalidInput`."""
        spec = self._engine.find(name, Caller(namespace=workspace)).spec
        if spec.remote is not None or spec.reduction is not None:
            raise InvalidInput(
                f"base_model '{name}' must be a model that this server runs itself, and without a reduction.",
                "$.createParameters",
            )
        return spec

    async def changed(self) -> None:
        """Take over a change of our own at once, and look for what is to be trained."""
        if self._worker is not None:
            self._worker.wake()
        if self._watch is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._watch.look()

    async def open(self, database: Database, vault: Vault) -> None:
        """Begin to apply what was trained, and to train."""
        from embedway.catalog.trainer import Trainer
        from embedway.catalog.training import KIND, VERSION
        from embedway.jobs.worker import Worker
        from embedway.store.versions import Watch

        self._database = database
        self._watch = Watch(database, VERSION, self._reload)
        with contextlib.suppress(StoreUnavailable):  # the watch goes on looking
            await self._watch.look()
        self._watch.start()
        work = Trainer(database, database.address.folder, self._settings.tuning_data_dir, self.find_model)
        self._worker = Worker(database, {KIND: work}, AT_A_TIME, count=self._count)
        self._worker.start()

    async def close(self) -> None:
        """Give back what is being trained."""
        if self._worker is not None:
            await self._worker.stop()
        if self._watch is not None:
            await self._watch.stop()

    async def _reload(self) -> None:
        from embedway.catalog.training import read_served

        if self._database is not None:
            self._served = await self._database.run(read_served, reads=True)
            self._read = True
