"""The model registry of OpenSearch Vector Search Edition: six actions below an instance.

Source: Alibaba Cloud help, OpenSearch Vector Search Edition, "GetModel" and its siblings (API version 2021-10-25), and
what their Python SDK sends and reads. The pages list no codes of errors; the dotted ones follow the one in a sample,
`instance.NotFound`. Flags and numbers of the query are texts there, times are UTC.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import msgspec

from embedway.catalog.definition import MAX_NAME
from embedway.catalog.verbatim import Object, Tree, write
from embedway.errors import (
    BodyTimeout,
    BodyTooLarge,
    Conflict,
    DeadlineExceeded,
    DeploymentNotFound,
    EmbedwayError,
    Forbidden,
    InstanceNotFound,
    InvalidInput,
    JobNotFound,
    KeyNotFound,
    MethodNotAllowed,
    ModelNotFound,
    NoPermission,
    Overloaded,
    QuotaExceeded,
    RateExceeded,
    RemoteFailed,
    RouteNotFound,
    SecretRequired,
    SignatureRefused,
    StoreUnavailable,
    Unauthenticated,
    Unavailable,
    UnsupportedBody,
    WorkspaceNotFound,
)
from embedway.http.dialects.base import WordedError, field_of
from embedway.http.dialects.openai import error_headers
from embedway.http.exchange import Exchange
from embedway.types import RemoteKind

if TYPE_CHECKING:
    from embedway.catalog.row import Row

MAX_BODY_BYTES = 1024 * 1024
PAGE_SIZE = 10
MAX_PAGE = 100
MAX_PAGES = 10_000_000

CODES: Mapping[type[EmbedwayError], tuple[int, str]] = {
    SecretRequired: (400, "model.SecretRequired"),
    InvalidInput: (400, "model.InvalidParameter"),
    InstanceNotFound: (404, "instance.NotFound"),
    ModelNotFound: (404, "model.NotFound"),
    JobNotFound: (404, "task.NotFound"),
    WorkspaceNotFound: (404, "workspace.NotFound"),
    KeyNotFound: (404, "credentials.NotFound"),
    DeploymentNotFound: (404, "deployment.NotFound"),
    Conflict: (409, "model.AlreadyExists"),
    RemoteFailed: (400, "model.ProbeFailed"),
    StoreUnavailable: (503, "StoreUnavailable"),
    Unavailable: (503, "ServiceUnavailable"),
    RateExceeded: (429, "Throttling.RateQuota"),
    QuotaExceeded: (429, "Throttling.AllocationQuota"),
    Overloaded: (429, "Throttling"),
    NoPermission: (403, "NoPermission"),
    Forbidden: (403, "Forbidden"),
    Unauthenticated: (401, "InvalidApiKey"),
    RouteNotFound: (404, "route.NotFound"),
    MethodNotAllowed: (405, "MethodNotAllowed"),
    BodyTimeout: (408, "RequestTimeout"),
    BodyTooLarge: (413, "request.TooLarge"),
    UnsupportedBody: (415, "request.UnsupportedType"),
    DeadlineExceeded: (504, "RequestTimeout"),
}
"""Status and code of each error; the first that fits. Those of access are Alibaba Cloud's own."""


_Object = msgspec.Meta(extra_json_schema={"type": "object"})


class CreateModelBody(msgspec.Struct):
    """`content` is kept as it was sent."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
    content: Annotated[msgspec.Raw, _Object]


class ModifyModelBody(msgspec.Struct):
    content: Annotated[msgspec.Raw, _Object] | msgspec.UnsetType = msgspec.UNSET
    status: Literal["ok", "forbidden"] | None = None


class DebugModelBody(msgspec.Struct):
    input: Annotated[str, msgspec.Meta(min_length=1)]


class Done(msgspec.Struct, rename="camel"):
    request_id: str


class ModelShown(msgspec.Struct, rename="camel"):
    """One model; `content` is its definition."""

    name: str
    type: RemoteKind
    url: str
    status: Literal["ok", "error", "forbidden"]
    content: dict[str, Any]
    create_time: str
    update_time: str
    dimension: int | msgspec.UnsetType = msgspec.UNSET
    status_reason: str | msgspec.UnsetType = msgspec.UNSET


class ModelReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: ModelShown


class ModelsReply(msgspec.Struct, rename="camel"):
    request_id: str
    total_count: int
    result: list[ModelShown]


class DebugRequest(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, str]
    body: str


class DebugResponse(msgspec.Struct):
    status: int | None
    body: str


class Debugged(msgspec.Struct):
    """What was sent and came back. `found` is what the JSONPath found, `latency` is in milliseconds."""

    request: DebugRequest
    response: DebugResponse
    found: list[Any]
    latency: float
    problem: str | None


class DebugReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: Debugged


class ErrorReply(msgspec.Struct, rename="camel"):
    request_id: str
    code: str
    message: str


class Instances:
    """How the control plane of Alibaba Cloud words errors."""

    name = "instances"
    max_body_bytes: int | None = MAX_BODY_BYTES
    error_type: type[msgspec.Struct] = ErrorReply
    codes: Mapping[type[EmbedwayError], tuple[int, str]] = CODES

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        known = (self.codes[kind] for kind in type(error).__mro__ if kind in self.codes)
        status, code = next(known, (error.status, "InternalServerError"))
        if isinstance(error, SignatureRefused):
            status, code = error.gateway_status, error.reason
        field = (field_of(error) or "$").removeprefix("$").removeprefix(".")
        message = f"{error.message} ({field})" if field else error.message
        headers = error_headers(error)
        if isinstance(error, Overloaded):
            headers["x-acs-retry-after"] = str(error.retry_after_s)
        return WordedError(status, msgspec.json.encode(ErrorReply(exchange.request_id, code, message)), headers)

    def mark(self, exchange: Exchange) -> None:
        exchange.headers["x-acs-request-id"] = exchange.request_id


def show(row: Row) -> Object:
    """A model as Get and List give it: the dimension beside its content, the name within it."""
    content: Object = {"modelName": row.name}
    content |= {key: value for key, value in row.content.items() if key not in ("dimension", "modelName")}
    shown: Object = {
        "name": row.name,
        "type": row.kind,
        "url": str(row.content["url"]).strip(),
        "status": row.status,
        "dimension": row.dimension,
        "content": content,
        "createTime": at_time(row.created_s),
        "updateTime": at_time(row.updated_s),
    }
    if row.dimension is None:
        del shown["dimension"]
    return shown | ({"statusReason": row.reason} if row.status == "error" else {})


def enclose(exchange: Exchange, **parts: Tree) -> bytes:
    """The control plane's envelope."""
    return write({"requestId": exchange.request_id, **parts}).encode()


def read_flag(exchange: Exchange, name: str) -> bool:
    """A flag of the query, which is a text there: true or false in any case. Raises `InvalidInput`."""
    given = exchange.request.query_params.get(name, "false").lower()
    if given not in ("true", "false"):
        raise InvalidInput(f"{name} is true or false.", f"$.{name}")
    return given == "true"


def read_number(exchange: Exchange, name: str, default: int, most: int) -> int:
    """A number of the query, from 1. Raises `InvalidInput`."""
    given = exchange.request.query_params.get(name, str(default))
    number = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
    if not 1 <= number <= most:
        raise InvalidInput(f"{name} is a number from 1 to {most}.", f"$.{name}")
    return number


def read_kind(exchange: Exchange) -> RemoteKind | None:
    """The type to list. Raises `InvalidInput`."""
    given = exchange.request.query_params.get("type")
    if given is None:
        return None
    if given not in get_args(RemoteKind):
        raise InvalidInput(f"type is one of {', '.join(get_args(RemoteKind))}.", "$.type")
    return cast(RemoteKind, given)


def at_time(at_s: float) -> str:
    """A time in UTC, as this API writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_s))
