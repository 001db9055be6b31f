"""The audit: who did what to which thing. Rows are added and never changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from embedway.store.schema import event


@dataclass(frozen=True, slots=True)
class Event:
    """What was done. `at_s` is Unix time."""

    id: int
    at_s: float
    who: str
    action: str
    subject: str
    request_id: str
    detail: Mapping[str, Any]


def read_events(
    connection: Connection, since_s: float = 0.0, subject: str = "", most: int | None = None
) -> Sequence[Event]:
    """The events since then of what `subject` is a part of the name of, the oldest first; of many the newest `most`."""
    query = select(event).where(event.c.at_s >= since_s).order_by(event.c.id.desc()).limit(most)
    if subject:
        query = query.where(event.c.subject.contains(subject, autoescape=True))
    rows = connection.execute(query).mappings()
    return [Event(**{**row, "detail": orjson.loads(row["detail"])}) for row in rows][::-1]


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
