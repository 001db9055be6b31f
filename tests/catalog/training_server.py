"""A process that trains until it is told to stop: python -m tests.catalog.training_server URL ROOT STALE_S."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from embedway.catalog.trainer import Trainer
from embedway.catalog.training import KIND
from embedway.errors import ModelNotFound
from embedway.jobs.run import Rhythm
from embedway.jobs.worker import Worker
from embedway.store.database import Database
from embedway.types import ModelSpec


def find_model(name: str, workspace: str) -> ModelSpec:
    """`m` is a model whose vectors have 8 numbers."""
    if name != "m":
        raise ModelNotFound(f"The model '{name}' does not exist.", name)
    return ModelSpec("m", "fake:8")


def rhythm(stale_s: float) -> Rhythm:
    return Rhythm(poll_s=0.05, look_s=0.05, beat_s=stale_s / 5, stale_s=stale_s, backoff_s=0.05)


async def serve(url: str, root: Path, stale_s: float) -> None:
    database = Database(url)
    worker = Worker(database, {KIND: Trainer(database, root, str(root), find_model)}, 1, rhythm(stale_s))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    worker.start()
    await stopped.wait()
    await worker.stop()
    await database.stop()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
