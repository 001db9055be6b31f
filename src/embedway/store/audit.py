"""The audit: who did what to which thing. Rows are added and never changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection, insert

from embedway.store.schema import event


def record(
    connection: Connection,
    who: str,
    action: str,
    subject: str,
    request_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an event within the transaction of what it tells of, so that neither is there without the other.

    `who` is an access key's id, a key's flow or the system's user; `detail` is JSON and must hold no secret.
    """
    row = {
        "at_s": time.time(),
        "who": who,
        "action": action,
        "subject": subject,
        "request_id": request_id,
        "detail": orjson.dumps(detail or {}, option=orjson.OPT_SORT_KEYS).decode(),
    }
    connection.execute(insert(event).values(row))
