"""What a dialect is: one vendor's wire format, here the part that all its operations share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from embedway.errors import EmbedwayError
from embedway.http.exchange import Exchange


@dataclass(frozen=True, slots=True)
class WordedError:
    """An error as a dialect puts it on the wire."""

    status: int
    body: bytes
    headers: dict[str, str]


class Dialect(Protocol):
    """How one vendor words its errors and marks its replies."""

    @property
    def name(self) -> str: ...

    @property
    def max_body_bytes(self) -> int | None:
        """The API's own limit; None where the server's setting holds."""

    @property
    def error_type(self) -> type[msgspec.Struct]:
        """The shape of its errors, for the OpenAPI document."""

    def word(self, error: EmbedwayError, exchange: Exchange) -> WordedError:
        """Turn any error into the dialect's status, JSON object and headers."""

    def mark(self, exchange: Exchange) -> None:
        """Add the headers that every reply of this dialect carries."""


def field_of(error: EmbedwayError, items: str = "$.input") -> str | None:
    """The JSON path that an error is about: its own, or the item's within the list of `items`."""
    path: Any = getattr(error, "field", None)
    if path is None and (item := getattr(error, "item", None)) is not None:
        return f"{items}[{item}]"
    return path if isinstance(path, str) else None
