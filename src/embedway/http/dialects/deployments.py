"""Custom deployments of the AI Search Open Platform: a model under an id of its own, with a token of its own.

Source: Alibaba Cloud help, "Custom deployment API"; the path with `/predict` is the one its SDK (searchplat20240529)
sends. Replies have no envelope; errors are the platform's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import orjson

from embedway.access.keys import check_token
from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, ModelNotFound
from embedway.http.dialects.opensearch import VectorRow, read_items, vector_rows
from embedway.http.exchange import Exchange
from embedway.settings import Deployment
from embedway.types import EmbedCall

MAX_INPUTS = 16


class PredictBody(msgspec.Struct):
    input: str | list[str]
    input_type: str | None = None
    dimension: int | None = None


class PredictReply(msgspec.Struct):
    embeddings: list[VectorRow]


class Predict:
    """POST /v3/openapi/deployments/{deployment_id}/predict."""

    def __init__(self, engine: Engine, deployments: Sequence[Deployment], request_timeout_s: float) -> None:
        self._engine = engine
        self._deployments = {deployment.id: deployment for deployment in deployments}
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: PredictBody) -> bytes:
        deployment = self._deployment(exchange)
        call = EmbedCall(
            model=deployment.model,
            items=read_items(body.input, body.input_type, MAX_INPUTS),
            dimensions=self._dimensions(exchange, deployment, body.dimension),
            flow=exchange.caller.flow,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        return orjson.dumps({"embeddings": vector_rows(result)}, option=orjson.OPT_SERIALIZE_NUMPY)

    def _deployment(self, exchange: Exchange) -> Deployment:
        name = exchange.request.path_params["deployment_id"]
        if name not in self._deployments:
            raise ModelNotFound(f"The deployment '{name[:200]}' does not exist.", name)
        deployment = self._deployments[name]
        check_token(exchange.request.headers.get("token"), deployment.token_sha256)
        return deployment

    def _dimensions(self, exchange: Exchange, deployment: Deployment, dimension: int | None) -> int | None:
        """What the document says of `dimension`: it takes effect only on a customised model, and cannot exceed the
        base.
        """
        facts = self._engine.find(deployment.model).facts
        if dimension is None or facts is None:
            return None
        if not 1 <= dimension <= facts.dimensions:
            raise InvalidInput(
                f"dimension must be between 1 and {facts.dimensions}, the foundation model's.", "$.dimension"
            )
        if facts.matryoshka or dimension == facts.dimensions:
            return dimension
        exchange.headers["x-embedway-ignored"] = "dimension"
        return None
