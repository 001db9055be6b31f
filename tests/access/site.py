"""An application with one operation of each plane, in this process: `async with site(settings) as ask`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from embedway.access.usage import UsageLog
from embedway.errors import SetupError
from embedway.http.access import Access
from embedway.http.credentials import StoredCredentials
from embedway.http.dialects.opensearch import OpenSearch
from embedway.http.exchange import Exchange
from embedway.http.operation import BodyLimits, Endpoint, Operation
from embedway.http.storage import Storage
from embedway.observe import Metrics
from embedway.settings import Settings

DATA = "/v3/openapi/workspaces/{workspace}/text-embedding"
CONTROL = "/openapi/ha3/instances/{instance}/models"


class Anything(msgspec.Struct):
    """A body."""

    input: Any = None


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]


Ask = Callable[..., Awaitable[Answer]]


@contextlib.asynccontextmanager
async def site(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Ask]:
    """Run it with its store; `ask(method, target, headers, body)` gives who was seen, or the refusal."""
    metrics = metrics or Metrics()
    storage = Storage(settings, _fail)
    access = Access(settings, metrics, storage.ready)
    storage.tell(access.api_keys.expect)
    routes = [
        _route(access, metrics, "GetTextEmbedding", "POST", DATA, Anything, None),
        _route(access, metrics, "CreateModel", "POST", CONTROL, Anything, "searchengine:CreateModel"),
        _route(access, metrics, "ListModels", "GET", CONTROL, None, "searchengine:ListModels"),
    ]
    app = Starlette(routes=[Mount(settings.root_path, routes=routes), *routes] if settings.root_path else routes)

    async def ask(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        return await _call(app, method, target, headers or {}, body)

    async with storage.serving([StoredCredentials(access)]):
        yield ask


def _route(access: Access, metrics: Metrics, name: str, method: str, path: str, body: Any, action: str | None) -> Route:
    operation = Operation(
        name=name,
        dialect=OpenSearch(),
        method=method,
        paths=(path,),
        answer=_tell,
        summary="",
        reply_type=Anything,
        body_type=body,
        action=action,
    )
    return Route(
        path, Endpoint([operation], access, BodyLimits(1 << 20, 5.0), metrics, UsageLog()).__call__, methods=[method]
    )


async def _tell(exchange: Exchange, body: Any) -> bytes:
    return json.dumps({"who": exchange.who, **dataclasses.asdict(exchange.caller)}).encode()


async def _call(app: Starlette, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    raw, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    arriving = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        if not arriving:
            await asyncio.Event().wait()
        return arriving.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return Answer(sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:])))


def _fail(error: SetupError) -> None:
    raise error
