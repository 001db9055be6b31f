"""A model's definition, as the registry's callers write it, and the remote model that it describes.

Source: Alibaba Cloud help, OpenSearch Vector Search Edition, "CreateModel", "GetModel", and its page on custom models.
The vendor's own sample ends its values with line breaks and escapes its template twice: a definition is kept as it was
sent, and such noise is taken off where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import msgspec

from embedway.catalog.verbatim import Object, write
from embedway.errors import InvalidInput
from embedway.models.services import SERVICES
from embedway.types import Phase, RemoteKind, RemoteSpec

MAX_NAME = 128
ACTION = "/actions/debug"
MAX_DIMENSIONS = 65_536
DENSE: frozenset[RemoteKind] = frozenset(("text_embedding", "image_embedding"))
_PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Phases(msgspec.Struct):
    """Parameters for documents (build) and for queries (search)."""

    build: dict[str, Any] | None = None
    search: dict[str, Any] | None = None


class Request(msgspec.Struct, rename="camel"):
    """What is sent. `request_body` is the template."""

    request_body: str = ""
    header: dict[str, str | int | float] | None = None
    url_params: Phases | None = None
    parameters: Phases | None = None


class Content(msgspec.Struct, rename="camel"):
    """A definition's known keys; unknown ones are kept and mean nothing."""

    model_type: RemoteKind
    url: str
    request: Request
    response: dict[str, Any]
    method: str | None = None
    dimension: int | None = None


_DECODER = msgspec.json.Decoder(Content)


def read_definition(content: Object, private: bool = False, timeout_s: float = 10.0) -> RemoteSpec:
    """The remote model that a definition describes. Raises `InvalidInput` naming the key below `$.content`."""
    found = _decode(content)
    return RemoteSpec(
        kind=found.model_type,
        url=_url(found.url),
        body=_template(found.request.request_body),
        response=_path(found.response),
        method=_method(found.method),
        headers=_headers(found.request.header or {}),
        build=_phase(found.request, "build"),
        search=_phase(found.request, "search"),
        dimensions=_dimensions(found),
        private=private,
        timeout_s=timeout_s,
    )


def check_name(name: str) -> None:
    """Raise `InvalidInput` for a name that no path, log or table can carry."""
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidInput(f"A model's name has 1 to {MAX_NAME} characters.", "$.name")
    if _CONTROL.search(name) or name != name.strip() or name.strip("/") != name or not _is_text(name):
        raise InvalidInput("A model's name holds no control characters, and no space or slash at its ends.", "$.name")
    if name.endswith(ACTION):
        raise InvalidInput(f"A model's name does not end with {ACTION}: that is the path of an action.", "$.name")


def check_service(name: str, remote: RemoteSpec) -> None:
    """Raise `InvalidInput` for a service's id whose vectors are of another length: its clients rely on that."""
    service = SERVICES.get(name)
    known = service.dimensions if service is not None else None
    if known is not None and remote.dimensions != known:
        raise InvalidInput(
            f"The vectors of {name} have {known} dimensions: register the model under another name.",
            "$.content.dimension",
        )


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL that was checked."""
    parts = urlsplit(url.strip())
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower(), 0)


def host_of(url: str) -> str:
    """A checked URL without its path and query: they may hold secrets."""
    scheme, host, port = origin_of(url)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _decode(content: Object) -> Content:
    try:
        return _DECODER.decode(write(content))
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise InvalidInput(f"{message}.", "$.content" + path.rstrip("`").removeprefix("$")) from error
    except msgspec.DecodeError as error:  # a number that is none for anyone
        raise InvalidInput(f"JSON parse error: {error}.", "$.content") from error


def _url(given: str) -> str:
    url = given.strip()
    try:
        parts = urlsplit(url)
        known = parts.scheme.lower() in _PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        user = "@" in parts.netloc
    except ValueError:
        known, user = False, False
    if not known or re.search(r"\s", url) or _CONTROL.search(url):
        raise InvalidInput("The URL must begin with http:// or https:// and a host.", "$.content.url")
    if user:
        raise InvalidInput("The URL must hold no user name: send credentials in a header.", "$.content.url")
    return url


def _method(given: str | None) -> Literal["POST", "PUT"]:
    method = (given or "POST").strip().upper()
    if method not in ("POST", "PUT"):
        raise InvalidInput("The method is POST or PUT.", "$.content.method")
    return cast(Literal["POST", "PUT"], method)


def _template(given: str) -> str:
    body = given.strip()
    if not body:
        raise InvalidInput("requestBody must hold the template of the body.", "$.content.request.requestBody")
    return body


def _path(response: Mapping[str, Any]) -> str:
    """The JSONPath: under `embeddings`, else under the only key that there is."""
    given = response.get("embeddings")
    if given is None and len(response) == 1:
        given = next(iter(response.values()))
    if not isinstance(given, str) or not given.strip():
        raise InvalidInput(
            "response.embeddings must hold the JSONPath of the results, such as $.data[*].embedding.",
            "$.content.response.embeddings",
        )
    return given.strip()


def _headers(given: Mapping[str, str | int | float]) -> Mapping[str, str]:
    """Names and values that HTTP can carry, each name once."""
    field = "$.content.request.header"
    found = {name.strip(): str(value).strip() for name, value in given.items()}
    if len({name.lower() for name in given}) < len(given) or len(found) < len(given):
        raise InvalidInput("A header stands here twice.", field)
    for name, value in found.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidInput(f"HTTP cannot carry the header '{name[:80]}' with this value.", field)
    return found


def _phase(request: Request, name: Literal["build", "search"]) -> Phase:
    return Phase(parameters=_used(request.parameters, name), url_params=_used(request.url_params, name))


def _used(phases: Phases | None, name: Literal["build", "search"]) -> Mapping[str, object]:
    given = getattr(phases, name, None) or {}
    return {key.strip(): value.strip() if isinstance(value, str) else value for key, value in given.items()}


def _dimensions(content: Content) -> int:
    if content.model_type not in DENSE:
        return 0
    if content.dimension is None:
        raise InvalidInput(f"A {content.model_type} model needs its dimension.", "$.content.dimension")
    if not 1 <= content.dimension <= MAX_DIMENSIONS:
        raise InvalidInput(f"The dimension is 1 to {MAX_DIMENSIONS}.", "$.content.dimension")
    return content.dimension


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
