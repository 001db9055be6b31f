"""The jobs of a server: what the routes ask, before and after the store is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def jobs_of(
    database: Database, engine: Engine, count: Callable[[str, Outcome], None] = lambda kind, outcome: None
) -> Worker:
    """A worker for every kind of job that the server has, not yet started."""
    from embedway.jobs.analysis import Analysis
    from embedway.jobs.worker import Worker

    return Worker(database, {IMAGE_ANALYZE: Analysis(engine)}, count=count)


class Jobs:
    """Stands where the worker will be. It imports no database, so the routes can be built before one is open."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def open(self, worker: Worker) -> None:
        """Start the worker; from now on jobs are accepted."""
        self._worker = worker
        worker.start()

    async def stop(self) -> None:
        """Give back what runs. Jobs are not accepted any more."""
        worker, self._worker = self._worker, None
        if worker:
            await worker.stop()

    async def add(self, kind: str, namespace: str, payload: Mapping[str, Any], max_attempts: int = 3) -> str:
        """The new job's id. Raises `Overloaded`, `InvalidInput`, `StoreUnavailable`."""
        return await self._opened().add(kind, namespace, payload, max_attempts)

    async def find(self, job_id: str, namespace: str | None = None) -> Job:
        """Raises `JobNotFound`, `StoreUnavailable`."""
        return await self._opened().find(job_id, namespace)

    def _opened(self) -> Worker:
        if self._worker is None:
            raise StoreUnavailable("The database is not open: try again soon.")
        return self._worker
