"""Custom deployments of the AI Search Open Platform: a model under an id of its own, with a token of its own.

Source: Alibaba Cloud help, "Custom deployment API"; the path with `/predict` is the one its SDK (searchplat20240529)
sends. Replies have no envelope; errors are the platform's.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import orjson

from embedway.access.keys import check_token
from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, ModelNotFound
from embedway.http.dialects.multimodal import Element, find_images, read_elements
from embedway.http.dialects.opensearch import read_items, vector_rows
from embedway.http.dialects.pictures import Pictures, check_images
from embedway.http.dialects.ranking import Ranking
from embedway.http.dialects.services import check_documents
from embedway.http.exchange import Exchange
from embedway.settings import Deployment
from embedway.types import EmbedCall

MAX_INPUTS = 16


class PredictBody(msgspec.Struct):
    """What is needed depends on the deployment: `input` for text embedding, `query` and `docs` for reranking, `type`
    and `data` for multimodal embedding.
    """

    input: str | list[str] | None = None
    input_type: str | None = None
    dimension: int | None = None
    query: str | list[str] | None = None
    docs: list[str] | None = None
    type: str | None = None
    data: list[str] | None = None


class TypedRow(msgspec.Struct, omit_defaults=True):
    """`type` is said by multimodal deployments."""

    index: int
    embedding: list[float]
    type: str | None = None


class PredictReply(msgspec.Struct, omit_defaults=True):
    """`embeddings` or `scores`, by the deployment's kind."""

    embeddings: list[TypedRow] = []
    scores: list[float] = []


class Predict:
    """POST /v3/openapi/deployments/{deployment_id}/predict. `find` gives a deployment and whether it runs."""

    def __init__(
        self,
        engine: Engine,
        ranking: Ranking,
        pictures: Pictures,
        find: Callable[[str], tuple[Deployment, bool]],
        request_timeout_s: float,
    ) -> None:
        self._engine = engine
        self._ranking = ranking
        self._pictures = pictures
        self._find = find
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: PredictBody) -> bytes:
        deployment = self._deployment(exchange)
        if deployment.task == "rerank":
            return await self._rank(exchange, deployment, body)
        if deployment.task == "multimodal":
            return await self._embed_mixed(exchange, deployment, body)
        return await self._embed(exchange, deployment, body)

    async def _embed(self, exchange: Exchange, deployment: Deployment, body: PredictBody) -> bytes:
        if body.input is None:
            raise InvalidInput("This deployment embeds texts: input is required.", "$.input")
        call = EmbedCall(
            model=deployment.model,
            items=read_items(body.input, body.input_type, MAX_INPUTS),
            dimensions=self._dimensions(exchange, deployment, body.dimension),
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        return orjson.dumps({"embeddings": vector_rows(result)}, option=orjson.OPT_SERIALIZE_NUMPY)

    async def _embed_mixed(self, exchange: Exchange, deployment: Deployment, body: PredictBody) -> bytes:
        """A request is of texts or of images, not of both."""
        if body.type not in ("text", "image"):
            raise InvalidInput("This deployment embeds texts and images: type must be text or image.", "$.type")
        if not 1 <= len(body.data or ()) <= MAX_INPUTS:
            raise InvalidInput(f"data must hold 1 to {MAX_INPUTS} texts or images.", "$.data")
        elements = [Element(text=one) if body.type == "text" else Element(image=one) for one in body.data or ()]
        check_images(
            self._engine.find(deployment.model, exchange.caller).facts, find_images(elements, "$.data"), "$.data"
        )
        call = EmbedCall(
            model=deployment.model,
            items=await read_elements(self._pictures, elements, "$.data"),
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        rows = [row | {"type": body.type} for row in vector_rows(result)]
        return orjson.dumps({"embeddings": rows}, option=orjson.OPT_SERIALIZE_NUMPY)

    async def _rank(self, exchange: Exchange, deployment: Deployment, body: PredictBody) -> bytes:
        """Bare scores in the order of `docs`. The document's table has `query` as a list, its sample as a string."""
        queries = [body.query] if isinstance(body.query, str) else body.query or []
        if len(queries) != 1 or body.docs is None:
            raise InvalidInput("This deployment ranks documents: query, one text, and docs are required.", "$.query")
        if len(body.docs) > MAX_INPUTS:
            raise InvalidInput(f"docs must hold 1 to {MAX_INPUTS} texts, not {len(body.docs)}.", "$.docs")
        check_documents(body.docs)
        result = await self._ranking(exchange, deployment.model, queries[0], body.docs)
        scores = {one.index: one.score for one in result.ranked}
        return orjson.dumps({"scores": [scores[index] for index in range(len(body.docs))]})

    def _deployment(self, exchange: Exchange) -> Deployment:
        """The deployment that the path names; from now on names mean those of its workspace."""
        name = exchange.request.path_params["deployment_id"]
        deployment, running = self._find(name)
        exchange.enter(deployment.workspace)
        check_token(exchange.request.headers.get("token"), deployment.token_sha256)
        if not running:
            raise ModelNotFound(f"The deployment '{name[:200]}' is ceased: resume it.", name)
        return deployment

    def _dimensions(self, exchange: Exchange, deployment: Deployment, dimension: int | None) -> int | None:
        """What the document says of `dimension`: it takes effect only on a customised model, and cannot exceed the
        base.
        """
        facts = self._engine.find(deployment.model, exchange.caller).facts
        if dimension is None or facts is None:
            return None
        if not 1 <= dimension <= facts.most_dimensions:
            raise InvalidInput(
                f"dimension must be between 1 and {facts.most_dimensions}, the foundation model's.", "$.dimension"
            )
        if facts.matryoshka or dimension == facts.dimensions:
            return dimension
        exchange.headers["x-embedway-ignored"] = "dimension"
        return None
