"""Function instances of the platform: custom deployments are made, stopped and started here.

The parameters of a deployment have no documented names; those here are `model`, `modelCategory` and `token`. The reply
that makes one has no place for a token that Embedway mints: the first GetFunctionInstance with `output=detail` shows
it, and after that nobody can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from embedway.errors import Conflict, DeploymentNotFound, InvalidInput
from embedway.http.dialects.platform import (
    CreateFunctionBody,
    FunctionReply,
    FunctionShown,
    FunctionsReply,
    FunctionTask,
    Outcome,
    Parameter,
    PascalOutcome,
    UpdateFunctionBody,
    actor_of,
    workspace_of,
)
from embedway.http.dialects.workspaces import page_of
from embedway.http.exchange import Exchange
from embedway.http.tenancy import Tenancy
from embedway.settings import Deployment
from embedway.types import Task

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from embedway.catalog.deployments import Row

DEPLOYMENT = "deployment"
NATIVE = "native"
CATEGORIES: Mapping[str, Task] = {
    "text-embedding": "embedding",
    "text-reranker": "rerank",
    "multimodal": "multimodal",
}
"""The platform's categories of deployed models."""
OUTPUTS = ("simple", "normal", "detail")
HIDDEN = "********"
_KNOWN = ("model", "modelCategory", "token")
_MEANINGLESS = ("region", "modelSource")  # fields of the platform's own form
_ELSEWHERE = {
    "nl2sql": "Embedway offers no nl2sql.",
    "notebook": "Embedway offers no notebooks.",
}


class Functions:
    """/openapi/platform/workspaces/{workspace}/functions/{function}/instances and below it one by its name."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def create(self, exchange: Exchange, body: CreateFunctionBody) -> bytes:
        from embedway.catalog.deployments import Row, create, make_token, with_token
        from embedway.catalog.workspaces import read

        _check_function(exchange)
        if body.model_type != NATIVE:
            raise InvalidInput(f"The modelType of a deployment is {NATIVE}.", "$.modelType")
        given, workspace = _parameters(body.create_parameters), workspace_of(exchange)
        if "model" not in given:
            raise InvalidInput("createParameters must name the model.", "$.createParameters")
        model, task = self._check_model(given["model"], exchange), _task(given, "embedding")
        if body.instance_name in self._tenancy.configured:
            raise Conflict(f"The deployment '{body.instance_name}' is one of the configuration: choose another name.")
        new = Row(body.instance_name, workspace, model, task, "", description=body.description)
        minted = make_token()

        def work(connection: Connection) -> None:
            read(connection, workspace, self._tenancy.declared, lock=True)
            own = given.get("token")
            row = with_token(new, own) if own else with_token(new, minted, self._tenancy.seal(minted))
            create(connection, actor_of(exchange), row)

        await self._tenancy.run(work)
        await self._tenancy.changed()
        return done(exchange)

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.deployments import read_in
        from embedway.catalog.workspaces import read

        _check_function(exchange)
        workspace, output, source = workspace_of(exchange), output_of(exchange), source_of(exchange)

        def work(connection: Connection) -> list[Row]:
            read(connection, workspace, self._tenancy.declared)
            return [row for row in read_in(connection, workspace) if row.id not in self._tenancy.configured]

        reached = partial(self._tenancy.may_use, caller=exchange.caller)
        stored = [row for row in await self._tenancy.run(work, reads=True) if reached(row.model)]
        declared = [one for one in self._tenancy.configured.values() if one.workspace == workspace]
        rows = [_show_configured(one, output) for one in declared if source != "user" and reached(one.model)]
        rows += [_show(row, output) for row in stored if source != "builtin"]
        return listed(exchange, rows)

    async def get(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.deployments import take_token

        _check_function(exchange)
        output, actor = output_of(exchange), actor_of(exchange)
        configured = self._tenancy.configured.get(name_of(exchange))
        if configured is not None and configured.workspace == workspace_of(exchange):
            self._tenancy.check_use(configured.model, exchange.caller)
            shown = _show_configured(configured, output)
            return msgspec.json.encode(FunctionReply(**outcome_of(exchange), result=shown))

        def work(connection: Connection) -> FunctionShown:
            row = self._read(connection, exchange)
            sealed = take_token(connection, actor, row) if output == "detail" else ""
            return _show(row, output, self._tenancy.unseal(sealed) if sealed else HIDDEN)

        found = await self._tenancy.run(work)
        return msgspec.json.encode(FunctionReply(**outcome_of(exchange), result=found))

    async def update(self, exchange: Exchange, body: UpdateFunctionBody) -> bytes:
        from embedway.catalog.deployments import change, with_token

        self._check_stored(exchange)
        given, actor = _parameters(body.create_parameters), actor_of(exchange)
        model = self._check_model(given["model"], exchange) if "model" in given else None

        def work(connection: Connection) -> None:
            old = self._read(connection, exchange)
            new = replace(old, model=model or old.model, task=_task(given, old.task))
            if body.description is not None:
                new = replace(new, description=body.description)
            change(connection, actor, with_token(new, given["token"]) if "token" in given else new)

        await self._tenancy.run(work)
        await self._tenancy.changed()
        return done(exchange)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.deployments import remove

        self._check_stored(exchange)

        def work(connection: Connection) -> None:
            row = self._read(connection, exchange)
            remove(connection, actor_of(exchange), row.workspace, row.id)

        await self._tenancy.run(work)
        await self._tenancy.changed()
        return msgspec.json.encode(PascalOutcome(**outcome_of(exchange)))

    async def cease(self, exchange: Exchange, body: None) -> bytes:
        return await self._switch(exchange, running=False)

    async def resume(self, exchange: Exchange, body: None) -> bytes:
        return await self._switch(exchange, running=True)

    async def train(self, exchange: Exchange, body: None) -> bytes:
        """Nothing here is trained."""
        _check_function(exchange)
        raise InvalidInput("A deployment is not trained: cease and resume stop and start it.")

    async def _switch(self, exchange: Exchange, running: bool) -> bytes:
        from embedway.catalog.deployments import switch

        self._check_stored(exchange)

        def work(connection: Connection) -> None:
            row = self._read(connection, exchange)
            switch(connection, actor_of(exchange), row.workspace, row.id, running)

        await self._tenancy.run(work)
        await self._tenancy.changed()
        return done(exchange)

    def _read(self, connection: Connection, exchange: Exchange) -> Row:
        from embedway.catalog import workspaces
        from embedway.catalog.deployments import read

        name = name_of(exchange)
        workspaces.read(connection, workspace_of(exchange), self._tenancy.declared)
        if name in self._tenancy.configured:
            raise DeploymentNotFound(f"There is no deployment '{name}' in this workspace.")
        row = read(connection, workspace_of(exchange), name)
        self._tenancy.check_use(row.model, exchange.caller)
        return row

    def _check_stored(self, exchange: Exchange) -> None:
        """Raises `Conflict` for a deployment of the configuration, which only its file changes."""
        _check_function(exchange)
        configured = self._tenancy.configured.get(name_of(exchange))
        if configured is not None and configured.workspace == workspace_of(exchange):
            raise Conflict(f"The deployment '{configured.id}' is one of the configuration: change it there.")

    def _check_model(self, model: str, exchange: Exchange) -> str:
        """Raises `ModelNotFound`, `Forbidden` for a disabled one, `NoPermission`."""
        self._tenancy.engine.find(model, exchange.caller)
        return model


def _check_function(exchange: Exchange) -> None:
    """Raises `InvalidInput` for a function that is not offered."""
    name = exchange.request.path_params["function"]
    if name != DEPLOYMENT:
        known = f"The function '{name[:80]}' is not offered; {DEPLOYMENT} and embedding-tuning are."
        raise InvalidInput(_ELSEWHERE.get(name, known), "$.functionName")


def _parameters(given: list[Parameter]) -> dict[str, str]:
    """Raises `InvalidInput` for one that means nothing, and for a token that no header can carry."""
    from embedway.catalog.deployments import check_token

    found = {one.name: one.value for one in given}
    unknown = sorted(set(found) - {*_KNOWN, *_MEANINGLESS})
    if unknown or len(found) < len(given):
        raise InvalidInput(f"createParameters are {', '.join(_KNOWN)}, each once.", "$.createParameters")
    if "token" in found:
        check_token(found["token"])
    return found


def _task(given: Mapping[str, str], default: Task) -> Task:
    category = given.get("modelCategory")
    if category is None:
        return default
    if category not in CATEGORIES:
        raise InvalidInput(f"modelCategory is one of {', '.join(CATEGORIES)}.", "$.createParameters")
    return CATEGORIES[category]


def output_of(exchange: Exchange) -> str:
    """How much is asked for. Raises `InvalidInput`."""
    output = exchange.request.query_params.get("output") or "normal"
    if output not in OUTPUTS:
        raise InvalidInput("output is simple, normal or detail.", "$.output")
    return output


def source_of(exchange: Exchange) -> str:
    """Which instances are listed. Raises `InvalidInput`."""
    source = exchange.request.query_params.get("source") or "user"
    if source not in ("builtin", "user", "all"):
        raise InvalidInput("source is builtin, user or all.", "$.source")
    return source


def listed(exchange: Exchange, rows: list[FunctionShown]) -> bytes:
    """The reply with those of the rows that are asked for."""
    given = exchange.request.query_params
    wanted = {"function_type": given.get("functionType"), "model_type": given.get("modelType")}
    rows = [row for row in rows if all(not value or getattr(row, key) == value for key, value in wanted.items())]
    reply = FunctionsReply(**outcome_of(exchange), total_count=len(rows), result=page_of(exchange, rows))
    return msgspec.json.encode(reply)


def name_of(exchange: Exchange) -> str:
    """Of the instance in the path."""
    return str(exchange.request.path_params["name"])


def _show(row: Row, output: str, token: str = HIDDEN) -> FunctionShown:
    shown = FunctionShown(
        instance_name=row.id,
        function_name=DEPLOYMENT,
        function_type="PAAS",
        model_type=NATIVE,
        source="user",
        status="available" if row.running else "unavailable",
        create_time=int(row.created_s * 1000),
    )
    if output == "simple":
        return shown
    shown = msgspec.structs.replace(
        shown,
        description=row.description,
        create_parameters=_show_parameters(row.deployment, token),
        version_id=row.edition,
    )
    if output == "detail":
        shown = msgspec.structs.replace(shown, task=FunctionTask("success", int(row.updated_s * 1000)))
    return shown


def _show_configured(one: Deployment, output: str) -> FunctionShown:
    shown = FunctionShown(one.id, DEPLOYMENT, "PAAS", NATIVE, "builtin", "available", 0)
    if output == "simple":
        return shown
    return msgspec.structs.replace(
        shown, description="", create_parameters=_show_parameters(one, HIDDEN if one.token_sha256 else "")
    )


def _show_parameters(one: Deployment, token: str) -> list[Parameter]:
    category = next(name for name, task in CATEGORIES.items() if task == one.task)
    return [Parameter("model", one.model), Parameter("modelCategory", category), Parameter("token", token)]


def outcome_of(exchange: Exchange) -> dict[str, Any]:
    """What all replies begin with."""
    return {"request_id": exchange.request_id, "status": "OK", "http_code": 200, "latency": exchange.elapsed_ms}


def done(exchange: Exchange) -> bytes:
    """The reply that says only that it is so."""
    return msgspec.json.encode(Outcome(**outcome_of(exchange)))
