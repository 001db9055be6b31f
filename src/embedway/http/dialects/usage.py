"""What was used, for those who manage the server: Embedway's own, in the words of the control plane."""

from __future__ import annotations

import dataclasses
import re

import msgspec

from embedway.access.usage import COLUMNS, UsageLog
from embedway.errors import InvalidInput
from embedway.http.exchange import Exchange

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class UsedRow(msgspec.Struct):
    """Sums of one day, key, namespace and model; the name of what is not told apart is empty."""

    day: str
    key: str
    namespace: str
    model: str
    requests: int
    errors: int
    tokens: int


class UsageReply(msgspec.Struct):
    requestId: str  # noqa: N815 -- the control plane's spelling
    totalCount: int  # noqa: N815
    result: list[UsedRow]


class Usage:
    """GET /openapi/platform/usage."""

    def __init__(self, log: UsageLog) -> None:
        self._log = log

    async def __call__(self, exchange: Exchange, body: None) -> bytes:
        given = exchange.request.query_params
        by = [name for text in given.getlist("by") for name in text.split(",") if name] or list(COLUMNS)
        if wrong := next((name for name in by if name not in COLUMNS), None):
            raise InvalidInput(f"by must name some of {', '.join(COLUMNS)}, not '{wrong[:80]}'.", "$.by")
        since, until = given.get("since"), given.get("until")
        for name, day in (("since", since), ("until", until)):
            if day is not None and not _DAY.fullmatch(day):
                raise InvalidInput(f"{name} must be a day like 2026-11-21.", f"$.{name}")
        rows = [UsedRow(**dataclasses.asdict(row)) for row in await self._log.read(since or "", until or "9999", by)]
        return msgspec.json.encode(UsageReply(exchange.request_id, len(rows), rows))
