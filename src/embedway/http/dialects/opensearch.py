"""AI Search Open Platform: text embedding by service id, and its OpenAI-compatible route.

Source: Alibaba Cloud help, "Text embedding" and "OpenAI compatible" of the AI Search Open Platform; errors as its page
"Status codes" lists them. Their Python SDK reads the request id of an error from the header `x-acs-request-id` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import orjson

from embedway.engine.engine import Engine
from embedway.errors import (
    EmbedwayError,
    InvalidInput,
    ModelNotFound,
    NoPermission,
    QuotaExceeded,
    RateExceeded,
    SignatureRefused,
)
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.dialects.embeddings import EmbeddingRow, Embeddings, EmbeddingsBody, write_embeddings
from embedway.http.dialects.openai import TokenUsage, error_headers
from embedway.http.dialects.pictures import Pictures
from embedway.http.exchange import Exchange
from embedway.models.services import SERVICES, deploy_hint
from embedway.types import EmbedCall, EmbedResult, Role, Text

MAX_INPUTS = 32
MAX_BODY_BYTES = 8 * 1024 * 1024
ROLES: Mapping[str, Role] = {"query": "query", "document": "document"}
_CODES = {
    400: "InvalidParameter",
    401: "InvalidApiKey",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    429: "Throttling.RateQuota",  # a full queue: a retry helps, and clients take this code alone as a reason for one
    503: "ServiceUnavailable",
    504: "RequestTimeout",
}
_BAD_BODY = (413, 415)  # the platform's table has no such rows: a body it cannot take is an invalid parameter


class TextEmbeddingBody(msgspec.Struct):
    input: str | list[str]
    input_type: str | None = None


class VectorRow(msgspec.Struct):
    """`index` stands before `embedding`: Elasticsearch's parser wants it so."""

    index: int
    embedding: list[float]


class VectorRows(msgspec.Struct):
    embeddings: list[VectorRow]


class TokenCount(msgspec.Struct):
    token_count: int


class TextEmbeddingReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: TokenCount
    result: VectorRows


class CompatibleReply(msgspec.Struct):
    id: str
    object: str
    data: list[EmbeddingRow]
    model: str
    usage: TokenUsage


class ErrorReply(msgspec.Struct):
    request_id: str
    latency: int
    code: str
    message: str


class OpenSearch:
    """The platform's words; `items` is the list that an error about one item is in."""

    name = "opensearch"
    max_body_bytes: int | None = MAX_BODY_BYTES
    error_type: type[msgspec.Struct] = ErrorReply

    def __init__(self, items: str = "$.input") -> None:
        self._items = items

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        status, code, message = error.status, None, error.message
        if isinstance(error, ModelNotFound):
            status, code = 400, "ServiceIdNotExist"
            message = f"service_id is not exist. {_remedy(error)}"
        elif isinstance(error, SignatureRefused):
            status, code = error.gateway_status, error.reason
        elif isinstance(error, NoPermission):
            code = error.reason
        elif isinstance(error, RateExceeded):
            message = f"Requests rate limit exceeded, please try again later. {message}"
        elif isinstance(error, QuotaExceeded):
            code = "Throttling.AllocationQuota"
            message = f"Allocated quota exceeded, please increase your quota limit. {message}"
        elif status in _BAD_BODY:
            status = 400
        elif field := field_of(error, self._items):
            message = f"{message} ({field.removeprefix('$.')})" if field != "$" else message
        reply = ErrorReply(exchange.request_id, 0, code or _CODES.get(status, "InternalServerError"), message)
        return WordedError(status, msgspec.json.encode(reply), error_headers(error))

    def mark(self, exchange: Exchange) -> None:
        exchange.headers["x-acs-request-id"] = exchange.request_id


class TextEmbedding:
    """POST /v3/openapi/workspaces/{workspace}/text-embedding/{service_id}."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: TextEmbeddingBody) -> bytes:
        service_id = read_service(exchange, self._engine)
        call = EmbedCall(
            model=service_id,
            items=read_items(body.input, body.input_type, MAX_INPUTS),
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        return enclose(exchange, {"token_count": result.usage.tokens}, {"embeddings": vector_rows(result)})


class CompatibleEmbeddings:
    """POST /compatible-mode/v1/embeddings: OpenAI's body and reply, the platform's limits and errors."""

    def __init__(self, engine: Engine, pictures: Pictures, request_timeout_s: float) -> None:
        self._openai = Embeddings(engine, pictures, request_timeout_s)

    async def __call__(self, exchange: Exchange, body: EmbeddingsBody) -> bytes:
        if not body.model:
            raise InvalidInput("model is required.", "$.model")
        call = await self._openai.read(exchange, body, MAX_INPUTS)
        result = await self._openai.ask(exchange, body, call)
        reply_id = exchange.request_id.replace("-", "").lower()
        return write_embeddings({"id": reply_id}, call.model, body, result)


def read_service(exchange: Exchange, engine: Engine) -> str:
    """The service id of the path; the vendor's own samples put a slash behind some. Raises `ModelNotFound`."""
    service_id: str = exchange.request.path_params["service_id"].removesuffix("/")
    engine.find(service_id, exchange.caller)
    return service_id


def enclose(exchange: Exchange, usage: Mapping[str, int], result: Mapping[str, object]) -> bytes:
    """The platform's envelope around an answer."""
    reply = {"request_id": exchange.request_id, "latency": exchange.elapsed_ms, "usage": usage, "result": result}
    return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)


def read_items(given: str | Sequence[str], input_type: str | None, max_inputs: int) -> Sequence[Text]:
    """The texts and their role, within the document's limits. Raises `InvalidInput`."""
    if input_type is not None and input_type not in ROLES:
        raise InvalidInput(
            f'JSON parse error: Cannot deserialize value of type `InputType` from String "{input_type[:80]}"'
        )
    texts = [given] if isinstance(given, str) else given
    if not 1 <= len(texts) <= max_inputs:
        raise InvalidInput(f"input must hold 1 to {max_inputs} texts, not {len(texts)}.", "$.input")
    for index, text in enumerate(texts):
        if not text:
            raise InvalidInput("Empty strings are not accepted.", f"$.input[{index}]")
    return [Text(text, ROLES[input_type or "document"]) for text in texts]


def vector_rows(result: EmbedResult) -> list[dict[str, object]]:
    return [{"index": index, "embedding": vector} for index, vector in enumerate(result.vectors)]


def _remedy(error: ModelNotFound) -> str:
    service = SERVICES.get(error.name)
    return deploy_hint(service) if service else error.message
