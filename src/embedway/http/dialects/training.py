"""Function instances of the platform that are trained: reductions of vectors.

Source of the routes and envelopes: Alibaba Cloud's SDK of 2024-04-01. What the parameters are called is documented
nowhere; docs/guides/reduction.md lists those here.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from embedway.errors import InvalidInput
from embedway.http.dialects.functions import (
    Functions,
    done,
    listed,
    name_of,
    outcome_of,
    output_of,
    source_of,
)
from embedway.http.dialects.platform import (
    CreateFunctionBody,
    FunctionReply,
    FunctionShown,
    FunctionTask,
    Parameter,
    PascalOutcome,
    UpdateFunctionBody,
    actor_of,
    workspace_of,
)
from embedway.http.dialects.tuning import SERVICE
from embedway.http.exchange import Exchange
from embedway.http.tenancy import Tenancy
from embedway.http.training import Trainings
from embedway.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from embedway.catalog.training import Row
    from embedway.jobs.job import Job

TUNING = "embedding-tuning"
LINES = 20
"""Of the log, shown with the task."""


class Training:
    """/openapi/platform/workspaces/{workspace}/functions/embedding-tuning/instances and below it one by its name."""

    def __init__(self, tenancy: Tenancy, trainings: Trainings, settings: Settings) -> None:
        self._tenancy = tenancy
        self._trainings = trainings
        self._data = settings.tuning_data_dir

    async def create(self, exchange: Exchange, body: CreateFunctionBody) -> bytes:
        from embedway.catalog.plan import read_plan
        from embedway.catalog.training import Asked, create

        if body.model_type != SERVICE:
            raise InvalidInput(f"The modelType of a training is {SERVICE}.", "$.modelType")
        given = await self._parameters(body.create_parameters, exchange)
        read_plan(given)
        asked = Asked(given, body.description)
        where = (workspace_of(exchange), body.instance_name)
        await self._write(exchange, lambda one: create(one, actor_of(exchange), *where, asked))
        return done(exchange)

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import read_in
        from embedway.catalog.workspaces import read

        output, source = output_of(exchange), source_of(exchange)

        def work(connection: Connection) -> list[FunctionShown]:
            read(connection, workspace_of(exchange), self._tenancy.declared)
            found = read_in(connection, workspace_of(exchange)) if source != "builtin" else []
            return [_look(connection, row, output) for row in found]

        return listed(exchange, await self._tenancy.run(work, reads=True))

    async def get(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import read

        output = output_of(exchange)

        def work(connection: Connection) -> FunctionShown:
            self._enter(connection, exchange)
            return _look(connection, read(connection, *_where(exchange)), output)

        found = await self._tenancy.run(work)
        return msgspec.json.encode(FunctionReply(**outcome_of(exchange), result=found))

    async def update(self, exchange: Exchange, body: UpdateFunctionBody) -> bytes:
        from embedway.catalog.training import Asked, change, read

        given = await self._parameters(body.create_parameters, exchange)
        asked, actor = Asked(given, body.description), actor_of(exchange)
        await self._write(exchange, lambda one: change(one, actor, read(one, *_where(exchange)), asked))
        return done(exchange)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import folder_of, remove

        await self._write(exchange, lambda one: remove(one, actor_of(exchange), *_where(exchange)))
        folder = folder_of(self._trainings.root, *_where(exchange))
        await asyncio.to_thread(partial(shutil.rmtree, folder, ignore_errors=True))
        return msgspec.json.encode(PascalOutcome(**outcome_of(exchange)))

    async def train(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import start

        await self._write(exchange, lambda one: start(one, actor_of(exchange), *_where(exchange)))
        return done(exchange)

    async def cease(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import cease

        await self._write(exchange, lambda one: cease(one, actor_of(exchange), *_where(exchange)))
        return done(exchange)

    async def resume(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.training import resume

        await self._write(exchange, lambda one: resume(one, actor_of(exchange), *_where(exchange)))
        return done(exchange)

    async def _write(self, exchange: Exchange, work: Callable[[Connection], Any]) -> None:
        def whole(connection: Connection) -> None:
            self._enter(connection, exchange)
            work(connection)

        await self._tenancy.run(whole)
        await self._trainings.changed()

    def _enter(self, connection: Connection, exchange: Exchange) -> None:
        """Nobody deletes the workspace meanwhile. Raises `WorkspaceNotFound`."""
        from embedway.catalog.workspaces import read

        read(connection, workspace_of(exchange), self._tenancy.declared, lock=True)

    async def _parameters(self, given: Sequence[Parameter], exchange: Exchange) -> dict[str, str]:
        """With a base model and a file that are there. Raises `InvalidInput`, `ModelNotFound`."""
        from embedway.catalog.plan import find_data

        found = {one.name: one.value for one in given}
        if len(found) < len(given):
            raise InvalidInput("createParameters names one twice.", "$.createParameters")
        if found.get("base_model"):
            self._trainings.find_model(found["base_model"], workspace_of(exchange))
        if found.get("data"):
            await asyncio.to_thread(find_data, self._data, found["data"])
        return found


class ByFunction:
    """Leads a call to who answers for the function of its path."""

    def __init__(self, others: Functions, training: Training) -> None:
        self._others = others
        self._training = training

    async def create(self, exchange: Exchange, body: CreateFunctionBody) -> bytes:
        return await self._of(exchange).create(exchange, body)

    async def list(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).list(exchange, body)

    async def get(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).get(exchange, body)

    async def update(self, exchange: Exchange, body: UpdateFunctionBody) -> bytes:
        return await self._of(exchange).update(exchange, body)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).delete(exchange, body)

    async def train(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).train(exchange, body)

    async def cease(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).cease(exchange, body)

    async def resume(self, exchange: Exchange, body: None) -> bytes:
        return await self._of(exchange).resume(exchange, body)

    def _of(self, exchange: Exchange) -> Functions | Training:
        return self._training if exchange.request.path_params["function"] == TUNING else self._others


def _where(exchange: Exchange) -> tuple[str, str]:
    return workspace_of(exchange), name_of(exchange)


def _look(connection: Connection, row: Row, output: str) -> FunctionShown:
    """A training as it is shown, with its last run if that is asked for."""
    from embedway.catalog.training import read_run
    from embedway.jobs.log import read_lines

    shown = FunctionShown(
        instance_name=row.name,
        function_name=TUNING,
        function_type="PAAS",
        model_type=SERVICE,
        source="user",
        status="available" if row.trained else "unavailable",
        create_time=int(row.created_s * 1000),
    )
    if output == "simple":
        return shown
    run = read_run(connection, row)
    task = _show_task(row, run)
    if output == "detail" and run is not None:
        task.log = [line.text for line in read_lines(connection, run.id)[-LINES:]]
    parameters = [Parameter(name, value) for name, value in row.parameters.items()]
    return msgspec.structs.replace(
        shown, description=row.description, create_parameters=parameters, version_id=row.edition, task=task
    )


def _show_task(row: Row, run: Job | None) -> FunctionTask:
    if run is None:  # none, or one that ended so long ago that it is forgotten
        status = "untrained" if row.job_id is None else "success" if row.trained == row.job_id else "failed"
        return FunctionTask(status, int(row.updated_s * 1000))
    status = "failed" if run.status == "cancelled" else run.status
    return FunctionTask(status, int(run.updated_s * 1000), run.progress, run.error)
