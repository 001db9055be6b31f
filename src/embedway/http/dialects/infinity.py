"""Infinity's rerank and classify. Source: infinity_emb 0.0.78 and its generated client."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from embedway.engine.classify import classify
from embedway.engine.engine import Engine
from embedway.errors import EmbedwayError
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.dialects.openai import MAX_INPUTS, TokenUsage, error_headers, error_kind, read_texts
from embedway.http.dialects.ranking import Ranking, check_count, choose_model
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, Output, Text


class RerankBody(msgspec.Struct):
    """A body with `raw_scores` is Infinity's: its client always sends it."""

    query: str
    documents: list[str]
    model: str | None = None
    top_n: int | None = None
    return_documents: bool | None = None
    raw_scores: bool | None = None


class RankedRow(msgspec.Struct, omit_defaults=True):
    """`document` is the text itself."""

    relevance_score: float
    index: int
    document: str | None = None


class RerankReply(msgspec.Struct):
    results: list[RankedRow]
    model: str
    usage: TokenUsage
    id: str
    created: int
    object: Literal["rerank"] = "rerank"


class ClassifyBody(msgspec.Struct):
    input: str | list[str]
    model: str | None = None
    raw_scores: bool | None = None


class LabelRow(msgspec.Struct):
    score: float
    label: str


class ClassifyReply(msgspec.Struct):
    data: list[list[LabelRow]]
    model: str
    usage: TokenUsage
    id: str
    created: int
    object: Literal["classify"] = "classify"


class ErrorDetail(msgspec.Struct):
    """`code` is the status again."""

    message: str
    type: str
    param: str | None
    code: int


class ErrorReply(msgspec.Struct):
    error: ErrorDetail


class Infinity:
    """Infinity's words. `items` is the list that an error's item is of."""

    name = "infinity"
    max_body_bytes: int | None = None
    error_type: type[msgspec.Struct] = ErrorReply

    def __init__(self, items: str) -> None:
        self._items = items

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        field = field_of(error, self._items)
        detail = ErrorDetail(error.message, error_kind(error), field and field.removeprefix("$."), error.status)
        return WordedError(error.status, msgspec.json.encode(ErrorReply(detail)), error_headers(error))

    def mark(self, exchange: Exchange) -> None:
        pass


class Rerank:
    """POST /rerank, /v1/rerank."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: RerankBody) -> bytes:
        model = choose_model(self._ranking.engine, body.model, "rerank")
        check_count(body.documents, "$.documents")
        result = await self._ranking(exchange, model, body.query, body.documents, top_n=body.top_n, raw=body.raw_scores)
        rows = [
            RankedRow(one.score, one.index, body.documents[one.index] if body.return_documents else None)
            for one in result.ranked
        ]
        usage = TokenUsage(result.usage.tokens, result.usage.tokens)
        return msgspec.json.encode(RerankReply(rows, model, usage, _reply_id(exchange), int(time.time())))


class Classify:
    """POST /classify, /v1/classify. With `raw_scores` logits, which Infinity itself never gives."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: ClassifyBody) -> bytes:
        model = choose_model(self._engine, body.model, "classify")
        texts = read_texts(body.input, MAX_INPUTS)
        call = EmbedCall(
            model=model,
            items=[Text(text, outputs=Output.SCORES) for text in texts],
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result, found = await classify(self._engine, call, body.raw_scores or False)
        exchange.note(result)
        rows = [[LabelRow(one.score, one.label) for one in labels] for labels in found]
        usage = TokenUsage(result.usage.tokens, result.usage.tokens)
        return msgspec.json.encode(ClassifyReply(rows, model, usage, _reply_id(exchange), int(time.time())))


def _reply_id(exchange: Exchange) -> str:
    return f"infinity-{exchange.request_id.lower()}"
