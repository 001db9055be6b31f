"""The six actions on the models of an instance: CreateModel and its siblings."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec

from embedway.catalog.mask import STARS, redact
from embedway.catalog.verbatim import Object
from embedway.errors import InvalidInput
from embedway.http.dialects.instances import (
    MAX_PAGE,
    CreateModelBody,
    DebugModelBody,
    ModifyModelBody,
    enclose,
    read_flag,
    read_number,
    show,
)
from embedway.http.exchange import Exchange
from embedway.http.registry import Registry
from embedway.types import RemoteKind

if TYPE_CHECKING:
    from embedway.catalog.catalog import Actor

PAGE_SIZE = 10
MOST_PAGES = 10_000_000


class Models:
    """The answers of the six operations."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def create(self, exchange: Exchange, body: CreateModelBody) -> bytes:
        dry_run = read_flag(exchange, "dryRun")
        content = bytes(body.content)
        await self._registry.catalog.create(_instance(exchange), body.name, content, _actor(exchange), dry_run)
        return enclose(exchange)

    async def list(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.row import Page

        given = exchange.request.query_params
        kind = given.get("type") or None
        if kind is not None and kind not in get_args(RemoteKind):
            raise InvalidInput(f"type is one of {', '.join(get_args(RemoteKind))}.", "$.type")
        page = Page(
            number=read_number(exchange, "pageNumber", 1, MOST_PAGES),
            size=read_number(exchange, "pageSize", PAGE_SIZE, MAX_PAGE),
            name=given.get("name") or None,
            kind=kind,
        )
        total, rows = await self._registry.catalog.list(_instance(exchange), page)
        return enclose(exchange, totalCount=total, result=[show(row) for row in rows])

    async def get(self, exchange: Exchange, body: None) -> bytes:
        return enclose(exchange, result=show(await self._registry.catalog.get(_instance(exchange), _name(exchange))))

    async def modify(self, exchange: Exchange, body: ModifyModelBody) -> bytes:
        content = None if body.content is msgspec.UNSET else bytes(body.content)
        if content is None and body.status is None:
            raise InvalidInput("Give content, status, or both.", "$")
        where = (_instance(exchange), _name(exchange))
        dry_run = read_flag(exchange, "dryRun")
        await self._registry.catalog.modify(*where, content, body.status, _actor(exchange), dry_run)
        return enclose(exchange)

    async def delete(self, exchange: Exchange, body: None) -> bytes:
        await self._registry.catalog.delete(_instance(exchange), _name(exchange), _actor(exchange))
        return enclose(exchange)

    async def debug(self, exchange: Exchange, body: DebugModelBody) -> bytes:
        online = read_flag(exchange, "isOnline")
        if not body.input:
            raise InvalidInput("input must not be empty.", "$.input")
        whole = await self._registry.catalog.whole(_instance(exchange), _name(exchange))
        raise NotImplementedError


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
