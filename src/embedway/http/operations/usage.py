"""The operation that tells what was used."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.access.usage import COLUMNS
from embedway.http.dialects.usage import Usage, UsageReply
from embedway.http.operation import Operation
from embedway.http.operations.parts import PLATFORM, Parts

_DAY = {"type": "string", "format": "date"}


def usage(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="GetUsage",
            dialect=PLATFORM,
            method="GET",
            paths=("/openapi/platform/usage",),
            answer=Usage(parts.usage),
            summary="Requests, errors and tokens of keys and models (Embedway's own)",
            reply_type=UsageReply,
            action="searchplat:GetUsage",
            resource="workspace",
            query={
                "since": _DAY | {"description": "First day, in UTC; by default the first of all."},
                "until": _DAY | {"description": "Last day; by default the last of all."},
                "by": {
                    "type": "array",
                    "items": {"type": "string", "enum": list(COLUMNS)},
                    "description": "What to tell apart; by default all of them.",
                },
            },
        )
    ]
