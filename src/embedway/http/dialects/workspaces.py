"""The answers about workspaces, their credentials and their services."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from embedway.errors import InvalidInput
from embedway.http.dialects.instances import MAX_PAGE, MAX_PAGES, PAGE_SIZE, enclose, read_flag, read_number
from embedway.http.dialects.platform import (
    CreateCredentialsBody,
    CreateWorkspaceBody,
    CredentialsList,
    CredentialsReply,
    CredentialsShown,
    Removed,
    RemovedReply,
    UpdateCredentialsBody,
    UpdateWorkspaceBody,
    WorkspaceReply,
    WorkspaceShown,
    WorkspacesReply,
    actor_of,
    milliseconds,
    workspace_of,
)
from embedway.http.exchange import Exchange
from embedway.http.tenancy import Tenancy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from embedway.access.keyrecords import ApiKeyRow
    from embedway.catalog.workspaces import Workspace

T = TypeVar("T")

API_TOKEN = "api-token"  # noqa: S105 -- the platform's name for the kind
_FACTS = ("type", "charge_type", "engine_type", "quota")


class Workspaces:
    """/openapi/platform/workspaces and below it one by its name."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def create(self, exchange: Exchange, body: CreateWorkspaceBody) -> bytes:
        from embedway.catalog.workspaces import Workspace, create

        facts = {name: value for name in _FACTS if (value := getattr(body, name)) is not None}
        new, declared = Workspace(body.name, facts=facts), self._tenancy.declared
        made = await self._tenancy.run(lambda connection: create(connection, actor_of(exchange), new, declared))
        return msgspec.json.encode(WorkspaceReply(exchange.request_id, _show(made)))

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.workspaces import read_all

        given, declared = exchange.request.query_params, self._tenancy.declared
        found = await self._tenancy.run(lambda connection: read_all(connection, declared), reads=True)
        if given.get("sortBy") == "1":
            found = sorted(found, key=lambda one: -one.updated_s)
        rows = [_show(one) for one in found]
        wanted = {"name": given.get("name"), "type": given.get("type"), "instance_id": given.get("instanceId")}
        rows = [row for row in rows if all(not value or getattr(row, key) == value for key, value in wanted.items())]
        return msgspec.json.encode(WorkspacesReply(exchange.request_id, len(rows), page_of(exchange, rows)))

    async def get(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.workspaces import read

        name, declared = workspace_of(exchange), self._tenancy.declared
        found = await self._tenancy.run(lambda connection: read(connection, name, declared), reads=True)
        return msgspec.json.encode(WorkspaceReply(exchange.request_id, _show(found)))

    async def update(self, exchange: Exchange, body: UpdateWorkspaceBody) -> bytes:
        from embedway.catalog.workspaces import describe

        name, actor, declared = workspace_of(exchange), actor_of(exchange), self._tenancy.declared
        found = await self._tenancy.run(
            lambda connection: describe(connection, actor, name, body.description, declared)
        )
        return msgspec.json.encode(WorkspaceReply(exchange.request_id, _show(found)))

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        from embedway.access.keyrecords import list_in_workspace
        from embedway.catalog.workspaces import remove

        name, actor, declared = workspace_of(exchange), actor_of(exchange), self._tenancy.declared

        def count_keys(connection: Connection, workspace: str) -> int:
            return len(list_in_workspace(connection, workspace))

        await self._tenancy.run(lambda connection: remove(connection, actor, name, declared, count_keys))
        return msgspec.json.encode(RemovedReply(exchange.request_id, Removed(name)))


class Credentials:
    """/openapi/platform/workspaces/{workspace}/credentials and below it one by its token, its id or its masked form."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def create(self, exchange: Exchange, body: CreateCredentialsBody) -> bytes:
        from embedway.access.apikeys import Scope
        from embedway.access.keyrecords import create
        from embedway.catalog.workspaces import read

        if body.type != API_TOKEN:
            raise InvalidInput(f"The only type of credentials is {API_TOKEN}.", "$.type")
        name, actor, declared = workspace_of(exchange), actor_of(exchange), self._tenancy.declared
        if read_flag(exchange, "dryRun"):
            await self._tenancy.run(lambda connection: read(connection, name, declared), reads=True)
            return enclose(exchange, result={})

        def work(connection: Connection) -> tuple[ApiKeyRow, str]:
            read(connection, name, declared, lock=True)
            return create(connection, actor, Scope((name,), exchange.caller.models))  # no further than its maker's

        row, token = await self._tenancy.change_keys(work)
        shown = msgspec.structs.replace(_show_key(row, name), token=token)
        return msgspec.json.encode(CredentialsReply(exchange.request_id, shown))

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.access.keyrecords import list_in_workspace
        from embedway.catalog.workspaces import read
        from embedway.settings import hash_secret

        name, keyword = workspace_of(exchange), exchange.request.query_params.get("keyword", "")

        def work(connection: Connection) -> Sequence[ApiKeyRow]:
            read(connection, name, self._tenancy.declared)
            return list_in_workspace(connection, name)

        digest = hash_secret(keyword)
        rows = [
            _show_key(row, name)
            for row in await self._tenancy.run(work, reads=True)
            if keyword in row.masked or keyword in row.id or digest == row.digest
        ]
        return msgspec.json.encode(CredentialsList(exchange.request_id, len(rows), page_of(exchange, rows)))

    async def get(self, exchange: Exchange, body: None) -> bytes:
        return self._reply(exchange, await self._tenancy.run(lambda one: self._find(one, exchange), reads=True))

    async def update(self, exchange: Exchange, body: UpdateCredentialsBody) -> bytes:
        from embedway.access.keyrecords import enable

        if read_flag(exchange, "dryRun"):
            return await self.get(exchange, None)
        actor = actor_of(exchange)
        row = await self._tenancy.change_keys(
            lambda one: enable(one, actor, self._find(one, exchange).id, body.enabled)
        )
        return self._reply(exchange, row)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        from embedway.access.keyrecords import revoke

        actor = actor_of(exchange)
        await self._tenancy.change_keys(lambda one: revoke(one, actor, self._find(one, exchange).id))
        return enclose(exchange)

    def _find(self, connection: Connection, exchange: Exchange) -> ApiKeyRow:
        from embedway.access.keyrecords import find_in_workspace
        from embedway.catalog.workspaces import read

        name = workspace_of(exchange)
        read(connection, name, self._tenancy.declared)
        return find_in_workspace(connection, name, exchange.request.path_params["token"])

    def _reply(self, exchange: Exchange, row: ApiKeyRow) -> bytes:
        return msgspec.json.encode(CredentialsReply(exchange.request_id, _show_key(row, workspace_of(exchange))))


def page_of(exchange: Exchange, rows: Sequence[T]) -> list[T]:
    """The rows of the page that is asked for. Raises `InvalidInput`."""
    number = read_number(exchange, "pageNumber", 1, MAX_PAGES)
    size = read_number(exchange, "pageSize", PAGE_SIZE, MAX_PAGE)
    return list(rows[(number - 1) * size : number * size])


def _show(row: Workspace) -> WorkspaceShown:
    facts: dict[str, Any] = {"type": "standard", "charge_type": "POSTPAY", "engine_type": "rag", **row.facts}
    return WorkspaceShown(
        id=row.name,
        name=row.name,
        description=row.description,
        status="normal",
        instance_id=row.name,
        create_time=milliseconds(row.created_s or None),
        **facts,
    )


def _show_key(row: ApiKeyRow, workspace: str) -> CredentialsShown:
    return CredentialsShown(
        id=row.id,
        token=row.masked,
        type=API_TOKEN,
        enabled=row.enabled,
        app_group_id=zlib.crc32(workspace.encode()) & 0x7FFFFFFF,  # the SDK wants a number for what has a name here
        create_time=milliseconds(row.created_s),
        expire_time=milliseconds(row.expires_s),
        last_used_time=milliseconds(row.last_used_s),
    )
