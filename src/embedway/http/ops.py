"""What operators look at: /health, /ready, /metrics, and the documentation pages."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from embedway.engine.engine import Engine
from embedway.errors import EmbedwayError
from embedway.http.access import Access, Demand
from embedway.http.document import PROOFS
from embedway.http.exchange import Exchange
from embedway.http.operation import error_reply
from embedway.http.operations.parts import OPENAI
from embedway.observe import METRICS_TYPE, Metrics

_DOCS_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Embedway API</title>
<link rel="stylesheet" href="{root}/docs/assets/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{root}/docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{url: "{root}/openapi.json", dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true}})
</script>
</body>
</html>
"""


class Ops:
    """`document` is the OpenAPI document; `protected` asks for a key on everything but /health and /ready."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        access: Access,
        document: dict[str, Any],
        root_path: str,
        protected: bool,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._access = access
        self._document = orjson.dumps(document)
        self._keyed_document = orjson.dumps(document | {"security": PROOFS})
        self._page = _DOCS_PAGE.format(root=root_path)
        self._protected = protected

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._behind_key(self._render_metrics, shared=True)),
            Route("/openapi.json", self._behind_key(self._openapi)),
            Route("/docs", self._behind_key(self._docs)),
            Mount("/docs/assets", StaticFiles(directory=swagger_ui_path)),
        ]

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok", "unix": time.time()})

    async def _ready(self, request: Request) -> Response:
        models = [one for one in self._engine.models() if not one.spec.namespace]  # anyone may look here
        ready = self._access.decided and all(status.ready for status in models if status.spec.required)
        rows = [
            {
                "name": one.spec.name,
                "ready": one.ready,
                "required": one.spec.required,
                "state": one.state,
                "reason": one.reason,
            }
            for one in models
        ]
        return _json({"status": "ready" if ready else "not ready", "models": rows}, 200 if ready else 503)

    async def _render_metrics(self, request: Request) -> Response:
        return Response(self._metrics.render(self._engine.models()), headers={"content-type": METRICS_TYPE})

    async def _openapi(self, request: Request) -> Response:
        document = self._document if self._access.open else self._keyed_document
        return Response(document, media_type="application/json")

    async def _docs(self, request: Request) -> Response:
        return HTMLResponse(self._page)

    def _behind_key(
        self, page: Callable[[Request], Awaitable[Response]], shared: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            exchange = Exchange.begin(request)
            try:
                proof = await self._access.look(exchange, Demand("GetMetrics", guarded=self._protected, shared=shared))
                if proof is not None:
                    await self._access.prove(exchange, proof, b"")
            except EmbedwayError as error:
                return error_reply(OPENAI, exchange, error)
            return await page(request)

        return answer


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
