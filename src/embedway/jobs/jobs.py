"""The jobs of a server: what its routes ask, before the store is open and after."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from embedway.engine.engine import Engine
from embedway.errors import StoreUnavailable
from embedway.jobs.job import Job

if TYPE_CHECKING:
    from embedway.jobs.run import Outcome
    from embedway.jobs.worker import Worker
    from embedway.store.database import Database

IMAGE_ANALYZE = "image-analyze"
"""The kind of job that puts an image into words: see `jobs.analysis`."""


Count = Callable[[Job, "Outcome", Any], None]
"""Is told each job that a worker has had, how that went, and what came out of it: None unless it was a success."""


def ignore(job: Job, outcome: Outcome, result: Any) -> None:
    """Count nothing."""


def jobs_of(database: Database, engine: Engine, count: Count = ignore) -> Worker:
    """A worker for every kind of job that the server has, not yet started."""
    from embedway.jobs.analysis import Analysis
    from embedway.jobs.run import RHYTHM
    from embedway.jobs.worker import Worker

    return Worker(database, {IMAGE_ANALYZE: Analysis(engine)}, rhythm=RHYTHM, count=count)


class Jobs:
    """Stands where the worker will be. It imports no database, so the routes can be built before one is open."""

    def __init__(
        self, engine: Engine, store_ready: Callable[[], Awaitable[None]] | None = None, count: Count = ignore
    ) -> None:
        """`store_ready` returns when the store has been opened, which it may have to be first."""
        self._engine = engine
        self._store_ready = store_ready
        self._count = count
        self._worker: Worker | None = None

    async def open(self, database: Database, vault: object = None) -> None:
        """From now on jobs are accepted, and run."""
        self._worker = jobs_of(database, self._engine, self._count)
        self._worker.start()

    async def close(self) -> None:
        """Accept no more jobs, and give back what runs."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()

    async def add(self, kind: str, namespace: str, payload: Mapping[str, Any], max_attempts: int = 3) -> str:
        """The new job's id. Raises `Overloaded`, `InvalidInput`, `StoreUnavailable`."""
        return await (await self._opened()).add(kind, namespace, payload, max_attempts)

    async def find(self, job_id: str, namespace: str | None = None) -> Job:
        """Raises `JobNotFound`, `StoreUnavailable`."""
        return await (await self._opened()).find(job_id, namespace)

    async def cancel(self, job_id: str, namespace: str | None = None) -> None:
        """Raises `JobNotFound`, `Conflict`, `StoreUnavailable`."""
        await (await self._opened()).cancel(job_id, namespace)

    async def _opened(self) -> Worker:
        if self._worker is None and self._store_ready is not None:
            await self._store_ready()
        if self._worker is None:
            raise StoreUnavailable("Tasks need the database, which is not open: try again soon.")
        return self._worker
