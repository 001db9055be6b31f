"""Reading a request's body: how large, how slow, of what kind."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from embedway.errors import BodyTimeout, BodyTooLarge, InvalidInput, UnsupportedBody

T = TypeVar("T", bound=msgspec.Struct)

_NULL = msgspec.Raw(b"null")
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JSON_TYPES = ("application/json", "text/json")


async def read_body(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body. Raises `UnsupportedBody`, `BodyTooLarge` (before reading, where the length is announced),
    `BodyTimeout`."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedBody("Compressed request bodies are not accepted: send the JSON as it is.")
    check_type(request.headers.get("content-type", ""))
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(request, max_bytes)
    except TimeoutError as error:
        raise BodyTimeout(f"The request body did not arrive within {timeout_s:g} s.") from error


def check_type(content_type: str) -> None:
    """Raises `UnsupportedBody` for a body that says it is not JSON; one that says nothing is taken for JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind not in _JSON_TYPES and not kind.endswith("+json"):
        raise UnsupportedBody(f"The body must be JSON (Content-Type: application/json), not {kind[:80]}.")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """JSON bytes to a wire struct. Raises `InvalidInput`; a wrong field is named by its path."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise InvalidInput(f"{message}.", path.rstrip("`") or "$") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"JSON parse error: {error}.") from error


def given_keys(body: bytes) -> frozenset[str]:
    """The keys of a JSON object whose value is not null; none for what is no JSON object."""
    try:
        values = _KEYS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(key for key, value in values.items() if value != _NULL)


async def _collect(request: Request, max_bytes: int) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > max_bytes:
                raise _too_large(max_bytes)
            parts.append(part)
    except ClientDisconnect as error:
        raise BodyTimeout("The client left before its body was complete.") from error
    return b"".join(parts)


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than {max_bytes} bytes.")
