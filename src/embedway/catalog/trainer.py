"""The job that trains a reduction, in a process of its own: it is slow and large, and must not hurt what is served.

The process gets its task on standard input and says how far it is in lines of JSON; see `embedway.cli.trainee`. It
ends with its standard input, so also when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from embedway.catalog import training
from embedway.catalog.plan import Plan, find_data, inline_rows, read_plan, restored
from embedway.catalog.task import Said, Task
from embedway.catalog.training import Row
from embedway.errors import Conflict, EmbedwayError, InvalidInput, ModelFailed, ModelNotFound
from embedway.jobs.job import Job
from embedway.jobs.report import Report
from embedway.store.database import Database
from embedway.types import ModelSpec

MODULE = "embedway.cli.trainee"
LINE_BYTES = 1 << 20
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

FindModel = Callable[[str, str], ModelSpec]
"""The model that a name means in a workspace. Raises `ModelNotFound`, `Forbidden`, `InvalidInput`."""


class Trainer:
    """The work of such a job; its result is `{"run": id}`. `root` is the folder of data, which holds artefacts;
    `data` that of files which may be trained on.
    """

    def __init__(self, database: Database, root: Path, data: str | None, find_model: FindModel) -> None:
        self._database = database
        self._root = root
        self._data = data
        self._find_model = find_model

    async def __call__(self, job: Job, report: Report) -> dict[str, Any]:
        name = job.payload["name"]
        row = await self._database.run(lambda one: training.read(one, job.namespace, name))
        if row.trained != job.id:  # else the process that trained it ended before the job did
            folder = training.folder_of(self._root, job.namespace, name, job.id)
            try:
                await self._make(job, row, folder, report)
            finally:
                await self._forget(job, folder)
        return {"run": job.id}

    async def _make(self, job: Job, row: Row, folder: Path, report: Report) -> None:
        async with _workplace(folder) as place:
            await _train(await self._task(row, folder, place), report)
        if not await self._database.run(lambda one: training.publish(one, job, row)):
            raise Conflict("The run was ceased, or taken over, when it was almost done.")

    async def _forget(self, job: Job, folder: Path) -> None:
        """Remove what nobody will serve. Where another process has taken the job over, the folder is its too."""
        with contextlib.suppress(EmbedwayError):
            if await self._database.run(lambda one: training.is_void(one, job), reads=True):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _task(self, row: Row, folder: Path, place: Path) -> Task:
        plan = read_plan(restored(row.parameters))
        data = await self._rows(row, plan, place)
        return Task(
            model=self._model(plan, row.workspace),
            data=str(data),
            field=plan.field,
            dimension=plan.dimension,
            name=row.name,
            output=str(folder),
            method=plan.method,
            whiten=plan.whiten,
            seed=plan.seed,
            steps=plan.steps,
        )

    def _model(self, plan: Plan, workspace: str) -> ModelSpec | None:
        if plan.base_model is None:
            return None
        try:
            return self._find_model(plan.base_model, workspace)
        except ModelNotFound as error:  # it was there when the training was asked for
            raise InvalidInput(error.message) from error

    async def _rows(self, row: Row, plan: Plan, place: Path) -> Path:
        if plan.inline is None:
            return await asyncio.to_thread(find_data, self._data, plan.data or "")
        kind, file = plan.inline, place / "rows.jsonl"
        text = await self._database.run(lambda one: training.read_data(one, row), reads=True)
        await asyncio.to_thread(lambda: file.write_bytes(inline_rows(kind, text)))
        return file


async def _train(task: Task, report: Report) -> None:
    """Raises `InvalidInput` with the process's own sentence, `ModelFailed` where trying again may help."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
        limit=LINE_BYTES,
        start_new_session=True,  # what a terminal sends to the server is not for it
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise ModelFailed("The training's process has no pipes.")
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        async for line in process.stdout:
            _listen(msgspec.json.decode(line, type=Said), report)
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise ModelFailed(f"The training's process ended with {status} before it was done.")


def _listen(said: Said, report: Report) -> None:
    if said.error is not None:
        report.line(said.error)
        raise InvalidInput(said.error)
    if said.failed is not None:
        raise ModelFailed(said.failed)
    if said.line is not None:
        report.line(said.line)
    if said.done is not None:
        report.progress(said.done)


@contextlib.asynccontextmanager
async def _workplace(folder: Path) -> AsyncIterator[Path]:
    """A folder for this attempt's rows. What a killed one has left is removed before."""
    place = folder.parent / f".{folder.name}.{secrets.token_hex(8)}"
    try:
        await asyncio.to_thread(_make_place, folder, place)
        yield place
    except OSError as error:
        raise ModelFailed(f"The artefact cannot be written: {error.strerror}.") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)


def _make_place(folder: Path, place: Path) -> None:
    for left in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    place.mkdir(parents=True)
