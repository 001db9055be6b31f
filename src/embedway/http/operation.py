"""The one path of a request: identify, read, decode, ask, write; every error in the dialect's own words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from embedway.errors import EmbedwayError, Unavailable
from embedway.http.access import Access
from embedway.http.body import decode, read_body
from embedway.http.dialects.base import Dialect
from embedway.http.exchange import Exchange
from embedway.observe import Metrics

log = logging.getLogger(__name__)


class _ClientLeftError(Exception):
    """The connection was closed while the answer was being made."""


Answer = Callable[[Exchange, Any], Awaitable[bytes]]
_LEFT = 499  # nginx's word for a client that closed the connection; never sent, only counted


@dataclass(frozen=True, slots=True)
class Operation:
    """One route of a dialect.

    `answer(exchange, body)` gives the reply's JSON; `body` is None for an operation without one (`body_type` None).
    `reply_type`, `summary` and `example` (of a body) describe it in the OpenAPI document. `guarded` asks for the data
    plane's key.
    """

    name: str
    dialect: Dialect
    method: str
    paths: tuple[str, ...]
    answer: Answer
    summary: str
    reply_type: type[msgspec.Struct]
    body_type: type[msgspec.Struct] | None = None
    guarded: bool = True
    example: Any = None


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a request's body may take: bytes, and seconds to arrive."""

    max_bytes: int
    timeout_s: float


class Endpoint:
    """An operation as Starlette calls it."""

    def __init__(self, operation: Operation, access: Access, limits: BodyLimits, metrics: Metrics) -> None:
        self.operation = operation
        self._access = access
        self._metrics = metrics
        max_bytes = operation.dialect.max_body_bytes
        self._max_bytes = limits.max_bytes if max_bytes is None else min(limits.max_bytes, max_bytes)
        self._timeout_s = limits.timeout_s
        self._decoder = msgspec.json.Decoder(operation.body_type) if operation.body_type else None

    async def __call__(self, request: Request) -> Response:
        exchange = Exchange.begin(request)
        try:
            body = await self._answer(exchange)
            response = reply(self.operation.dialect, exchange, 200, body)
        except EmbedwayError as error:
            response = error_reply(self.operation.dialect, exchange, error)
        except _ClientLeftError:
            response = Response(status_code=_LEFT)
        except asyncio.CancelledError:  # the drain limit passed: a caller who still waits is told so
            response = error_reply(
                self.operation.dialect, exchange, Unavailable("The server is shutting down: try again.")
            )
        except Exception:
            log.exception("Request %s to %s failed.", exchange.request_id, self.operation.name)
            response = error_reply(
                self.operation.dialect, exchange, EmbedwayError("The server failed on this request.")
            )
        self._count(exchange, response.status_code)
        return response

    async def _answer(self, exchange: Exchange) -> bytes:
        exchange.body_unread = self._decoder is not None
        self._access.check(exchange, self.operation.guarded)
        body = None
        if self._decoder is not None:
            raw = await read_body(exchange.request, self._max_bytes, self._timeout_s)
            exchange.body_unread = False
            body = decode(self._decoder, raw)
            return await _while_connected(exchange.request, self.operation.answer(exchange, body))
        return await self.operation.answer(exchange, body)

    def _count(self, exchange: Exchange, status: int) -> None:
        self._metrics.requests.labels(self.operation.name, str(status)).inc()
        self._metrics.request_seconds.labels(self.operation.name).observe(time.monotonic() - exchange.started_s)


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
