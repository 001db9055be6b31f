"""The operation that tells what was used."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.http.dialects.usage import Usage, UsageReply
from embedway.http.operation import Operation
from embedway.http.operations.parts import INSTANCES, Parts


def usage(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="GetUsage",
            dialect=INSTANCES,
            method="GET",
            paths=("/openapi/platform/usage",),
            answer=Usage(parts.usage),
            summary="Requests, errors and tokens of keys and models (Embedway's own)",
            reply_type=UsageReply,
            action="searchplat:GetUsage",
        )
    ]
