"""Cohere's API v2: rerank. Source: Cohere's API reference v2, "Rerank", and its Python SDK 7.3."""

from __future__ import annotations

import msgspec

from embedway.errors import EmbedwayError
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.dialects.jina import (
    Meta,
    RankedRow,
    TextDocument,
    ineffective,
    meta,
    read_documents,
    rows,
)
from embedway.http.dialects.openai import error_headers
from embedway.http.dialects.ranking import Ranking, choose_model
from embedway.http.exchange import Exchange
from embedway.types import Priority


class RerankBody(msgspec.Struct):
    """`return_documents` and `instruction` are extensions, which gateways and vLLM's clients send here too."""

    query: str
    documents: list[str | TextDocument]
    model: str | None = None
    top_n: int | None = None
    max_tokens_per_doc: int | None = None
    priority: int | None = None
    return_documents: bool | None = None
    instruction: str | None = None


class RerankReply(msgspec.Struct):
    id: str
    results: list[RankedRow]
    meta: Meta


class ErrorReply(msgspec.Struct):
    id: str
    message: str


class Cohere:
    """Cohere's words: a message, and the id of the request."""

    name = "cohere"
    max_body_bytes: int | None = None
    error_type: type[msgspec.Struct] = ErrorReply

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        field = field_of(error, "$.documents")
        message = error.message
        if field is not None and field != "$":
            message = f"{message} ({field.removeprefix('$.')})"
        reply = ErrorReply(exchange.request_id, message)
        return WordedError(error.status, msgspec.json.encode(reply), error_headers(error))

    def mark(self, exchange: Exchange) -> None:
        pass


class Rerank:
    """POST /v2/rerank. A `priority` above 0, Cohere's highest, lets other callers go first."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: RerankBody) -> bytes:
        model = choose_model(self._ranking.engine, body.model, "rerank")
        texts = read_documents(body.documents)
        priority = Priority.BULK if (body.priority or 0) > 0 else Priority.INTERACTIVE
        result = await self._ranking(
            exchange,
            model,
            body.query,
            texts,
            top_n=body.top_n,
            instruction=body.instruction,
            priority=priority,
        )
        exchange.note_ignored(
            instruction=ineffective(body.instruction, result), max_tokens_per_doc=body.max_tokens_per_doc
        )
        found = rows(result, texts if body.return_documents else None)
        return msgspec.json.encode(RerankReply(exchange.request_id, found, meta("2", len(texts), result)))
