"""The one path of a request: identify, read, decode, ask, write; every error in the dialect's own words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from embedway.access.usage import UsageLog
from embedway.errors import EmbedwayError, InvalidInput, Unavailable
from embedway.http.access import Access, Demand, ResourceKind
from embedway.http.body import decode, given_keys, read_body
from embedway.http.dialects.base import Dialect
from embedway.http.exchange import Exchange
from embedway.http.quota import Quotas
from embedway.observe import Metrics
from embedway.types import Task

log = logging.getLogger(__name__)


class _ClientLeftError(Exception):
    """The connection was closed while the answer was being made."""


Answer = Callable[[Exchange, Any], Awaitable[bytes]]
_LEFT = 499  # nginx's word for a client that closed the connection; never sent, only counted


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of a dialect.

    `answer(exchange, body)` gives the reply's JSON; `body` is None for an operation without one (`body_type` None).
    `reply_type` (a struct, or a list of them), `summary` and `example` (of a body) describe it in the OpenAPI document.
    `task` is what a body that names no model asks for; what is `counted` consumes tokens of a quota.
    `guarded` asks for the data plane's key. `action` (in RAM's words, such as `searchengine:GetModel`) makes it one of
    the control plane: always a signature or an admin key, and a permission for this action on the `resource` of the
    path. `told_by`: where several operations share a path, the keys by which a body shows that it is this one's.
    `query` are the parameters behind the path, each with its JSON schema and a description.
    """

    name: str
    dialect: Dialect
    method: str
    paths: tuple[str, ...]
    answer: Answer
    summary: str
    reply_type: Any
    body_type: type[msgspec.Struct] | None = None
    guarded: bool = True
    action: str | None = None
    task: Task = "embedding"
    counted: bool = True
    resource: ResourceKind = "instance"
    example: Any = None
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    told_by: frozenset[str] = frozenset()

    @property
    def demand(self) -> Demand:
        return Demand(self.name, self.guarded, self.action, self.resource)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request's body may take: bytes, and seconds to arrive."""

    max_bytes: int
    timeout_s: float


class Endpoint:
    """The operations of one path and method as Starlette calls them.

    The first owns the path: it words what goes wrong before the body is parsed, and answers bodies that no other
    operation recognises.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        access: Access,
        limits: BodyLimits,
        metrics: Metrics,
        usage: UsageLog,
        quotas: Quotas | None = None,
    ) -> None:
        self._operations = operations
        self._access = access
        self._metrics = metrics
        self._usage = usage
        self._quotas = quotas
        max_bytes = operations[0].dialect.max_body_bytes
        self._max_bytes = limits.max_bytes if max_bytes is None else min(limits.max_bytes, max_bytes)
        self._timeout_s = limits.timeout_s
        self._decoders = {one.name: msgspec.json.Decoder(one.body_type) for one in operations if one.body_type}

    @property
    def manages(self) -> bool:
        """Whether it belongs to the control plane, where even a GET may show something once."""
        return any(one.action is not None for one in self._operations)

    async def __call__(self, request: Request) -> Response:
        exchange = Exchange.begin(request)
        operation = self._operations[0]
        try:
            raw = await self._read(operation, exchange)
            operation = choose(self._operations, raw)
            body = await self._answer(operation, exchange, raw)
            response = reply(operation.dialect, exchange, 200, body)
        except EmbedwayError as error:
            response = error_reply(operation.dialect, exchange, error)
        except _ClientLeftError:
            response = Response(status_code=_LEFT)
        except asyncio.CancelledError:  # the drain limit passed: a caller who still waits is told so
            response = error_reply(operation.dialect, exchange, Unavailable("The server is shutting down: try again."))
        except Exception:
            log.exception("Request %s to %s failed.", exchange.request_id, operation.name)
            response = error_reply(operation.dialect, exchange, EmbedwayError("The server failed on this request."))
        if exchange.allowance is not None and self._quotas is not None:
            response.headers.update(await self._quotas.leave(exchange, left=response.status_code == _LEFT))
        self._count(operation, exchange, response.status_code)
        return response

    async def _read(self, operation: Operation, exchange: Exchange) -> bytes:
        """Check the caller, then read the body; empty where the operation has none."""
        exchange.body_unread = operation.body_type is not None
        proof = await self._access.look(exchange, operation.demand)
        if proof is None:
            await self._enter(operation, exchange)
        raw = b""
        if operation.body_type is not None:
            raw = await read_body(exchange.request, self._max_bytes, self._timeout_s)
            exchange.body_unread = False
        if proof is not None:
            await self._access.prove(exchange, proof, raw)
            await self._enter(operation, exchange)
        return raw

    async def _enter(self, operation: Operation, exchange: Exchange) -> None:
        """Ask the quotas, now that the caller is known. To look costs nothing: who waits for a task looks often."""
        looks = operation.method == "GET" and operation.action is None
        if self._quotas is not None and not looks and (operation.guarded or operation.action is not None):
            await self._quotas.enter(exchange, operation)

    async def _answer(self, operation: Operation, exchange: Exchange, raw: bytes) -> bytes:
        check_query(operation, exchange.request)
        if operation.body_type is None:
            return await operation.answer(exchange, None)
        body = decode(self._decoders[operation.name], raw)
        if self._quotas is not None and operation.guarded:
            await self._quotas.reserve(exchange, operation, body, raw)
        return await _while_connected(exchange.request, operation.answer(exchange, body))

    def _count(self, operation: Operation, exchange: Exchange, status: int) -> None:
        self._metrics.requests.labels(operation.name, str(status)).inc()
        self._metrics.request_seconds.labels(operation.name).observe(time.monotonic() - exchange.started_s)
        if operation.action is None and operation.guarded:
            self._usage.add(exchange.who, exchange.caller.namespace, exchange.used, failed=status >= 400)


def check_query(operation: Operation, request: Request) -> None:
    """Raise `InvalidInput` for a parameter that is no list and was given more than once: which one is meant?"""
    for name, schema in operation.query.items():
        if schema.get("type") != "array" and len(request.query_params.getlist(name)) > 1:
            raise InvalidInput(f"{name} is given more than once.", f"$.{name}")


class Methods:
    """All methods of one path, as an ASGI application: a path that is another's beginning answers for itself."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = dict(endpoints)
        if "GET" in self._endpoints and not self._endpoints["GET"].manages:
            self._endpoints["HEAD"] = self._endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        endpoint = self._endpoints.get(request.method)
        if endpoint is None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(self._endpoints))})
        response = await endpoint(request)
        await response(scope, receive, send)


def choose(operations: Sequence[Operation], raw: bytes) -> Operation:
    """The operation that a body belongs to: the first that is told by keys which it has, else the first of all."""
    if len(operations) == 1:
        return operations[0]
    keys = given_keys(raw)
    return next((one for one in operations if one.told_by and one.told_by <= keys), operations[0])


def reply(dialect: Dialect, exchange: Exchange, status: int, body: bytes) -> Response:
    """A JSON reply with the headers that every reply carries."""
    dialect.mark(exchange)
    headers = {"x-request-id": exchange.request_id, "x-total-time": str(exchange.elapsed_ms), **exchange.headers}
    return Response(body, status, headers, media_type="application/json")


def error_reply(dialect: Dialect, exchange: Exchange, error: EmbedwayError) -> Response:
    """The error in the dialect's own words."""
    worded = dialect.word(error, exchange)
    exchange.headers = worded.headers
    if exchange.body_unread:  # RFC 9112 §9.6: rather close than read on through a body that nobody wants
        exchange.headers["connection"] = "close"
    return reply(dialect, exchange, worded.status, worded.body)


async def _while_connected(request: Request, work: Awaitable[bytes]) -> bytes:
    """Await `work`, and give it up when the client closes the connection: nobody would read the answer."""
    working = asyncio.ensure_future(work)
    working.add_done_callback(_look_at)
    watching = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _ClientLeftError
        return working.result()
    finally:
        working.cancel()
        watching.cancel()


def _look_at(done: asyncio.Future[bytes]) -> None:
    """An error that comes when nobody waits any more is no one's; asyncio would log it as forgotten."""
    if not done.cancelled():
        done.exception()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
