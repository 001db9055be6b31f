"""Settings and an engine in, an ASGI application out: the object graph is built here and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from embedway.access.usage import UsageLog
from embedway.engine.engine import Engine
from embedway.errors import EmbedwayError, MethodNotAllowed, RouteNotFound, SetupError
from embedway.http.access import Access
from embedway.http.credentials import StoredCredentials
from embedway.http.dialects.analyze import count_task
from embedway.http.document import openapi
from embedway.http.exchange import Exchange
from embedway.http.operation import BodyLimits, Endpoint, Methods, Operation, error_reply
from embedway.http.operations.parts import make_parts
from embedway.http.ops import Ops
from embedway.http.quota import Quotas, make_quotas
from embedway.http.registry import Registry
from embedway.http.routes import dialect_of, operations
from embedway.http.storage import Storage, Stored
from embedway.http.tenancy import Tenancy
from embedway.http.training import Trainings
from embedway.jobs.job import Job
from embedway.jobs.jobs import Jobs
from embedway.observe import Metrics
from embedway.settings import Settings

if TYPE_CHECKING:  # it imports the database, and a server listens first
    from embedway.jobs.run import Outcome

log = logging.getLogger(__name__)

_EXPOSED = [
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-total-time",
    "x-compute-tokens",
    "x-embedway-truncated",
    "x-embedway-ignored",
    "x-embedway-ranker",
    "x-embedway-sparse",
    "x-embedway-stand-in",
]


def build_app(
    settings: Settings, engine: Engine, metrics: Metrics, on_failure: Callable[[SetupError], None]
) -> Starlette:
    """`on_failure` is called when a required model cannot be served: the models load while the server already
    listens.
    """
    storage = Storage(settings, lambda error: _no_store(error, access, on_failure))
    access = Access(settings, metrics, storage.ready)
    registry = Registry(settings, engine, storage.ready)
    credentials = StoredCredentials(access)
    tenancy = Tenancy(settings, engine, storage.ready, credentials.look)

    def count(job: Job, outcome: Outcome, result: Any) -> None:
        metrics.jobs.labels(job.kind, outcome).inc()

    trainings = Trainings(settings, engine, count)
    storage.tell(access.api_keys.expect, tenancy.expect, trainings.expect)
    metrics.store_up.set_function(lambda: registry.up)
    usage = UsageLog(storage.ready)

    def count_analysis(job: Job, outcome: Outcome, result: Any) -> None:
        count(job, outcome, result)
        count_task(usage, job, outcome, result)

    jobs = Jobs(engine, storage.ready, count_analysis)
    known = operations(make_parts(engine, settings, registry, tenancy, jobs, usage, trainings))
    stored: list[Stored] = [credentials, registry, tenancy, trainings, usage, jobs]  # the last is closed first
    limits = BodyLimits(settings.max_body_bytes, settings.body_timeout_s)
    document = openapi(known, settings.root_path, settings.keyless, settings.protect_metrics)
    ops = Ops(engine, metrics, access, document, settings.root_path, settings.protect_metrics)
    quotas = make_quotas(settings, engine, metrics, tenancy.find)
    make = partial(Endpoint, access=access, limits=limits, metrics=metrics, usage=usage, quotas=quotas)
    routes = [*ops.routes(), *_routes(known, make)]
    if settings.root_path:  # a proxy may strip the prefix or leave it
        routes = [Mount(settings.root_path, routes=routes), *routes]
    app = Starlette(
        routes=routes,
        lifespan=_lifespan(engine, partial(storage.serving, stored), on_failure, quotas),
        middleware=_middleware(settings),
        exception_handlers={HTTPException: _no_such_route(settings.root_path)},
    )
    app.router.redirect_slashes = False
    return app


def _routes(known: Sequence[Operation], make: Callable[[Sequence[Operation]], Endpoint]) -> list[BaseRoute]:
    """Each path with and without a slash at its end: one vendor's own sample has it, and a redirect would drop the
    body.
    """
    shared: dict[str, dict[str, list[Operation]]] = {}
    for operation in known:
        for path in operation.paths:
            shared.setdefault(path, {}).setdefault(operation.method, []).append(operation)
    routes: list[BaseRoute] = []
    for path, methods in shared.items():
        endpoints = {method: make(sharing) for method, sharing in methods.items()}
        ends = ("",) if path.endswith(":path}") else ("", "/")
        routes += [Route(path + end, Methods(endpoints)) for end in ends]
    return routes


def _middleware(settings: Settings) -> list[Middleware]:
    if not settings.cors_origin:
        return []
    origins = list(settings.cors_origin)
    return [
        Middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=_EXPOSED
        )
    ]


def _lifespan(
    engine: Engine,
    store: Callable[[], AbstractAsyncContextManager[None]],
    on_failure: Callable[[SetupError], None],
    quotas: Quotas | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    async def load() -> None:
        try:
            await engine.start()
        except SetupError as error:
            on_failure(error)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(load(), name="load models")
        try:
            async with store():
                yield
        finally:
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
            await engine.stop()
            if quotas is not None:
                await quotas.stop()

    return lifespan


def _no_store(error: SetupError, access: Access, on_failure: Callable[[SetupError], None]) -> None:
    """Models of the configuration need no store. A server that is closed only because its keys cannot be read does."""
    if access.decided:
        log.error("There is no registry and there are no stored keys: %s", error.message)
        return
    on_failure(SetupError(f"{error.message} Nobody can tell whether there are API keys in it: configure one to go on."))


def _no_such_route(root_path: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    """404 and 405 in the words of the dialect that the path belongs to."""

    async def answer(request: Request, error: Exception) -> Response:
        path = request.url.path.removeprefix(root_path)
        found: EmbedwayError = RouteNotFound(f"There is no route {path[:200]}.")
        if isinstance(error, HTTPException) and error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            message = f"{request.method} is not allowed here; allowed is {allowed}."
            found = MethodNotAllowed(message, tuple(allowed.split(", ")))
        response = error_reply(dialect_of(path), Exchange.begin(request), found)
        if isinstance(found, MethodNotAllowed):
            response.headers["allow"] = ", ".join(found.allowed)
        return response

    return answer
