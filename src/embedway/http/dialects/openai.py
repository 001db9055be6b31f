"""OpenAI's errors and model list, with the fields that Infinity's clients look for in the rows.

Sources: OpenAI API reference, "Models"; infinity_emb 0.0.78 for `stats`, `backend`, `capabilities`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from embedway.engine.engine import Engine
from embedway.errors import (
    EmbedwayError,
    InvalidInput,
    Overloaded,
    QuotaExceeded,
    RateExceeded,
    Unauthenticated,
    Unavailable,
)
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.exchange import Exchange
from embedway.types import Agreement, Facts, ModelStatus, Role, Task

MAX_INPUTS = 2048
UNSPECIFIED_MODEL = "default/not-specified"  # what infinity's client sends when its user names none
ROLES: Mapping[str, Role] = {
    "query": "query",
    "search_query": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
}
_SEND_TEXT = (
    "Token ids are not accepted: send text. In LangChain's OpenAIEmbeddings set check_embedding_ctx_length=False."
)
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    "unauthenticated": "invalid_api_key",
    "overloaded": "rate_limit_exceeded",
    "rate_exceeded": "rate_limit_exceeded",
    "quota_exceeded": "insufficient_quota",
}


class TokenUsage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class ModelStats(msgspec.Struct):
    """The queue as infinity counts it; `queue_fraction` is of the tokens that may wait, `batch_size` in items."""

    queue_fraction: float
    queue_absolute: int
    results_pending: int
    batch_size: int


class ModelRow(msgspec.Struct):
    """`root` is the model behind an alias. What follows it are extensions; `agreement` says how an int8 model compares
    with itself in float32.
    """

    id: str
    stats: ModelStats
    object: Literal["model"]
    owned_by: Literal["infinity"]
    created: int
    backend: str
    capabilities: list[str]
    root: str
    ready: bool
    dtype: str | None
    dimensions: int | None
    max_tokens: int | None
    agreement: Agreement | None


class ModelList(msgspec.Struct):
    data: list[ModelRow]
    object: Literal["list"] = "list"


class ErrorDetail(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(msgspec.Struct):
    error: ErrorDetail


class OpenAI:
    """The words of OpenAI; also those of every route that belongs to no other vendor."""

    name = "openai"
    items = "$.input"
    max_body_bytes: int | None = None
    error_type: type[msgspec.Struct] = ErrorReply

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        field = field_of(error, self.items)
        code = _CODES.get(error.code, error.code)
        detail = ErrorDetail(error.message, error_kind(error), field and field.removeprefix("$."), code)
        return WordedError(error.status, msgspec.json.encode(ErrorReply(detail)), error_headers(error))

    def mark(self, exchange: Exchange) -> None:
        pass


class Models:
    """GET /v1/models and GET /v1/models/{id}."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def list(self, exchange: Exchange, body: None) -> bytes:
        rows = [
            _row(name, status)
            for status in self._engine.models(exchange.caller)
            for name in (status.spec.name, *status.spec.aliases)
        ]
        return msgspec.json.encode(ModelList(rows))

    async def get(self, exchange: Exchange, body: None) -> bytes:
        name = exchange.request.path_params["model"].removesuffix("/")
        return msgspec.json.encode(_row(name, self._engine.find(name, exchange.caller)))


def read_texts(given: str | Sequence[str | int | Sequence[int]], max_inputs: int) -> Sequence[str]:
    """The texts of `input`. Raises `InvalidInput` for none, too many, an empty one, or token ids."""
    if isinstance(given, str):
        if not given:
            raise InvalidInput("input must not be an empty string.", "$.input")
        return [given]
    if not 1 <= len(given) <= max_inputs:
        raise InvalidInput(f"input must hold 1 to {max_inputs} texts, not {len(given)}.", "$.input")
    texts = []
    for index, text in enumerate(given):
        if not isinstance(text, str):
            raise InvalidInput(_SEND_TEXT, "$.input")
        if not text:
            raise InvalidInput("input must not hold an empty string.", f"$.input[{index}]")
        texts.append(text)
    return texts


def error_kind(error: EmbedwayError) -> str:
    """OpenAI's `type` of an error; of a rate, what is limited."""
    if isinstance(error, RateExceeded):
        return error.unit
    if isinstance(error, QuotaExceeded):
        return _CODES[error.code]
    return _TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")


def error_headers(error: EmbedwayError) -> dict[str, str]:
    """What HTTP itself says of an error: when to come back (RFC 9110 §10.2.3), how to prove who one is (§11.6.1).

    `retry-after-ms` and `x-should-retry` are OpenAI's: its clients read them first.
    """
    if isinstance(error, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    if isinstance(error, RateExceeded):
        return {"retry-after": str(error.retry_after_s), "retry-after-ms": str(error.retry_after_ms)}
    if isinstance(error, QuotaExceeded):
        return {"x-should-retry": "false"}
    if isinstance(error, Overloaded):
        return {"retry-after": str(error.retry_after_s)}
    return {"retry-after": "1"} if isinstance(error, Unavailable) else {}


def _row(name: str, status: ModelStatus) -> ModelRow:
    facts = status.facts
    return ModelRow(
        id=name,
        stats=ModelStats(
            queue_fraction=min(1.0, status.queued_tokens / status.max_queue_tokens),
            queue_absolute=status.queued_items,
            results_pending=status.pending_items,
            batch_size=status.max_batch_items,
        ),
        object="model",
        owned_by="infinity",
        created=status.created_s,
        backend=facts.backend if facts else "none",
        capabilities=_capabilities(facts) if facts else ["embed"],
        root=status.spec.name,
        ready=status.ready,
        dtype=facts.dtype if facts else None,
        dimensions=(facts.dimensions or None) if facts else None,
        max_tokens=facts.max_tokens if facts else None,
        agreement=facts.agreement if facts else None,
    )


def _capabilities(facts: Facts) -> list[str]:
    """What a model is for, in infinity's words."""
    words: Mapping[Task, str] = {
        "embedding": "embed",
        "multimodal": "embed",
        "rerank": "rerank",
        "classify": "classify",
    }
    return [word for task, word in words.items() if task in facts.tasks]
