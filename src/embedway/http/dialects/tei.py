"""text-embeddings-inference: rerank and predict. Source: its router's types, version 1.9, and peers' use of them.

It serves one model and its bodies name none; here `model` may be added, and is needed where several could be meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from embedway.engine.classify import classify
from embedway.engine.engine import Engine
from embedway.errors import BodyTooLarge, EmbedwayError, InvalidInput
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.dialects.openai import error_headers
from embedway.http.dialects.ranking import MAX_DOCUMENTS, Ranking, choose_model
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, Item, Output, Pair, Text, Usage

_KINDS = {
    400: (422, "Validation"),
    401: (401, "Unauthorized"),
    403: (403, "Forbidden"),
    404: (404, "NotFound"),
    413: (413, "Validation"),
    429: (429, "Overloaded"),
    500: (424, "Backend"),
    503: (503, "Unhealthy"),
}
"""Its statuses and its `error_type`, by Embedway's status; others keep theirs."""


class RerankBody(msgspec.Struct):
    """A body with `texts` is this dialect's. `model` and `top_n` are extensions; gateways send the second."""

    query: str
    texts: list[str]
    raw_scores: bool | None = None
    return_text: bool | None = None
    truncate: bool | None = None
    truncation_direction: str | None = None
    top_n: int | None = None
    model: str | None = None


class RankedRow(msgspec.Struct, omit_defaults=True):
    index: int
    score: float
    text: str | None = None


class PredictBody(msgspec.Struct):
    """`inputs`: a text, a pair `[first, second]`, or a list of `[text]` and `[first, second]`."""

    inputs: str | list[str | list[str]]
    raw_scores: bool | None = None
    truncate: bool | None = None
    truncation_direction: str | None = None
    model: str | None = None


class Prediction(msgspec.Struct):
    score: float
    label: str


class ErrorReply(msgspec.Struct):
    error: str
    error_type: str


class EmptyInput(InvalidInput):
    """Nothing to work on: 400 here, where other wrong input is 422."""


class Tei:
    """Its words. `items` is the list that an error's item is of."""

    name = "tei"
    max_body_bytes: int | None = None
    error_type: type[msgspec.Struct] = ErrorReply

    def __init__(self, items: str) -> None:
        self._items = items

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        status, kind = _KINDS.get(error.status, (error.status, "Backend" if error.status >= 500 else "Validation"))
        if isinstance(error, EmptyInput):
            status, kind = 400, "Empty"
        field = field_of(error, self._items)
        message = error.message if field in (None, "$") else f"{error.message} ({field.removeprefix('$.')})"
        return WordedError(status, msgspec.json.encode(ErrorReply(message, kind)), error_headers(error))

    def mark(self, exchange: Exchange) -> None:
        pass


class Rerank:
    """POST /rerank, /v1/rerank. The reply is a bare list, best first."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: RerankBody) -> bytes:
        check_direction(body.truncation_direction)
        if not body.texts:
            raise EmptyInput("texts cannot be empty.", "$.texts")
        check_batch(body.texts, "texts")
        model = choose_model(self._ranking.engine, body.model, "rerank")
        result = await self._ranking(exchange, model, body.query, body.texts, top_n=body.top_n, raw=body.raw_scores)
        check_cut(body.truncate, result.usage)
        return msgspec.json.encode(
            [
                RankedRow(one.index, one.score, body.texts[one.index] if body.return_text else None)
                for one in result.ranked
            ]
        )


class Predict:
    """POST /predict: labels, the likeliest first. One input has a list of them, a list of inputs a list of lists."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: PredictBody) -> bytes:
        check_direction(body.truncation_direction)
        items = read_inputs(body.inputs)
        model = choose_model(self._engine, body.model, "classify")
        call = EmbedCall(
            model=model,
            items=items,
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result, found = await classify(self._engine, call, body.raw_scores or False)
        exchange.note(result)
        check_cut(body.truncate, result.usage)
        rows = [[Prediction(one.score, one.label) for one in labels] for labels in found]
        return msgspec.json.encode(rows if _several(body.inputs) else rows[0])


def read_inputs(inputs: str | Sequence[Any]) -> Sequence[Item]:
    """The texts and pairs to classify. Raises `InvalidInput`, `EmptyInput`, `BodyTooLarge`."""
    if isinstance(inputs, str):
        return [_item([inputs], "$.inputs")]
    if not inputs:
        raise EmptyInput("inputs cannot be empty.", "$.inputs")
    if not _several(inputs):
        return [_item(inputs, "$.inputs")]
    check_batch(inputs, "inputs")
    return [_item(one, f"$.inputs[{index}]") for index, one in enumerate(inputs)]


def _several(inputs: str | Sequence[Any]) -> bool:
    """Whether inputs are a list of inputs: a list of bare texts is one pair."""
    return not isinstance(inputs, str) and any(isinstance(one, list) for one in inputs)


def _item(texts: str | Sequence[Any], field: str) -> Item:
    if isinstance(texts, str) or not 1 <= len(texts) <= 2 or not all(isinstance(one, str) for one in texts):
        raise InvalidInput("An input is a text or a pair of texts; a list of inputs holds lists of one or two.", field)
    if not any(texts):
        raise EmptyInput("inputs cannot be empty.", field)
    return Text(texts[0], outputs=Output.SCORES) if len(texts) == 1 else Pair(texts[0], texts[1])


def check_batch(texts: Sequence[object], field: str) -> None:
    """Raise `BodyTooLarge` for more than `MAX_DOCUMENTS`."""
    if len(texts) > MAX_DOCUMENTS:
        raise BodyTooLarge(f"{field} may hold {MAX_DOCUMENTS} texts at most, not {len(texts)}.")


def check_direction(direction: str | None) -> None:
    """Raise `InvalidInput` for texts that are to be cut at their beginning."""
    if direction is not None and direction.lower() != "right":
        raise InvalidInput("truncation_direction can be right only: texts are cut at their end.")


def check_cut(truncate: bool | None, usage: Usage) -> None:
    """Raise `InvalidInput` where a text was cut that must not be."""
    if truncate is False and usage.cut:
        raise InvalidInput("A text is longer than the model reads: shorten it, or send truncate: true.")
