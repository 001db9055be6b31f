"""The six actions on the models of an instance: CreateModel and its siblings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from embedway.catalog.mask import plain, redact
from embedway.catalog.verbatim import MAX_DEPTH, Tree
from embedway.errors import InvalidInput, NoPermission
from embedway.http.dialects.instances import (
    MAX_PAGE,
    MAX_PAGES,
    PAGE_SIZE,
    CreateModelBody,
    Debugged,
    DebugModelBody,
    DebugReply,
    DebugRequest,
    DebugResponse,
    ModifyModelBody,
    enclose,
    read_flag,
    read_kind,
    read_number,
    show,
)
from embedway.http.exchange import Exchange
from embedway.http.registry import Registry

if TYPE_CHECKING:
    from embedway.backends.trace import Trace
    from embedway.catalog.catalog import Actor

MAX_SHOWN = 64 * 1024
"""Characters of a text that Debug shows."""


class Models:
    """The answers of the six operations."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def create(self, exchange: Exchange, body: CreateModelBody) -> bytes:
        dry_run = read_flag(exchange, "dryRun")
        if not exchange.caller.may_use(body.name):
            raise NoPermission(f"Your API key may not use a model '{body.name[:200]}'.")
        content = bytes(body.content)
        await (await self._registry.catalog()).create(
            _instance(exchange), body.name, content, _actor(exchange), dry_run
        )
        return enclose(exchange)

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.row import Page

        page = Page(
            number=read_number(exchange, "pageNumber", 1, MAX_PAGES),
            size=read_number(exchange, "pageSize", PAGE_SIZE, MAX_PAGE),
            name=exchange.request.query_params.get("name") or None,
            kind=read_kind(exchange),
        )
        total, rows = await (await self._registry.catalog()).list(_instance(exchange), page)
        return enclose(exchange, totalCount=total, result=[show(row) for row in rows])

    async def get(self, exchange: Exchange, body: None) -> bytes:
        return enclose(
            exchange, result=show(await (await self._registry.catalog()).get(_instance(exchange), _name(exchange)))
        )

    async def modify(self, exchange: Exchange, body: ModifyModelBody) -> bytes:
        content = None if body.content is msgspec.UNSET else bytes(body.content)
        if content is None and body.status is None:
            raise InvalidInput("Give content, status, or both.", "$")
        where = (_instance(exchange), _name(exchange))
        dry_run = read_flag(exchange, "dryRun")
        await (await self._registry.catalog()).modify(*where, content, body.status, _actor(exchange), dry_run)
        return enclose(exchange)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        await (await self._registry.catalog()).delete(_instance(exchange), _name(exchange), _actor(exchange))
        return enclose(exchange)

    async def debug(self, exchange: Exchange, body: DebugModelBody) -> bytes:
        online = read_flag(exchange, "isOnline")
        whole = await (await self._registry.catalog()).whole(_instance(exchange), _name(exchange))
        trace = await self._registry.ask(whole.remote, body.input, "search" if online else "build")
        result = debugged(trace, whole.secrets)
        return msgspec.json.encode(DebugReply(exchange.request_id, result))


def debugged(trace: Trace, secrets: Sequence[Tree]) -> Debugged:
    """What was sent and came back, without secrets, each text cut at `MAX_SHOWN` characters."""

    def shown(text: str) -> str:
        return redact(text, secrets)[:MAX_SHOWN]

    return Debugged(
        request=DebugRequest(
            method=trace.method,
            url=shown(trace.url),
            headers={name: shown(value) for name, value in trace.headers.items()},
            body=shown(trace.body),
        ),
        response=DebugResponse(trace.status or None, shown(trace.answer)),
        found=_fit([_hide(value, secrets) for value in trace.found]),
        latency=trace.latency_ms,
        problem=plain(trace.problem, secrets) if trace.problem else None,
    )


def _hide(value: Any, secrets: Sequence[Tree], depth: int = 0) -> Any:
    """A JSON value without secrets in its texts, and without what lies deeper than anyone looks."""
    if isinstance(value, str):
        return redact(value, secrets)
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {redact(key, secrets): _hide(one, secrets, depth + 1) for key, one in value.items()}
    return [_hide(one, secrets, depth + 1) for one in value] if isinstance(value, list) else value


def _fit(values: list[Any]) -> list[Any]:
    """The first of the values that fit into `MAX_SHOWN` characters of JSON; of a list that does not fit, its first."""
    kept: list[Any] = []
    room = MAX_SHOWN
    for value in values:
        size = len(msgspec.json.encode(value))
        if size > room:
            return [*kept, _fit(value)] if isinstance(value, list) and not kept else kept
        kept.append(value)
        room -= size + 1
    return kept


def _actor(exchange: Exchange) -> Actor:
    from embedway.catalog.catalog import Actor

    return Actor(exchange.who, exchange.request_id)


def _instance(exchange: Exchange) -> str:
    name: str = exchange.request.path_params["instance"]
    return name


def _name(exchange: Exchange) -> str:
    """The model's name; a slash within it was sent as %2F, one at its end is the path's."""
    name: str = exchange.request.path_params["model"]
    return name.removesuffix("/")
