"""What `embedway audit` reads in the store."""

from __future__ import annotations

import json
import time

from embedway.cli.table import render
from embedway.cli.times import moment, read_seconds
from embedway.cli.transaction import change
from embedway.settings import Settings
from embedway.store.audit import Event, read_events

_COLUMNS = ("at", "who", "action", "subject", "request_id", "detail")


def list_events(settings: Settings, since: str | None, subject: str, limit: int | None, as_json: bool) -> str:
    """A table, or one JSON object a line. Raises `SettingsError`, `StoreUnavailable`."""
    since_s = 0.0 if since is None else time.time() - read_seconds(since, "--since")
    events = change(settings, lambda connection: read_events(connection, since_s, subject, limit), reads=True)
    return render(_COLUMNS, [_row(event, as_json) for event in events], as_json)


def _row(event: Event, as_json: bool) -> dict[str, object]:
    return {
        "at": moment(event.at_s),
        "who": event.who,
        "action": event.action,
        "subject": event.subject,
        "request_id": event.request_id or None,
        "detail": event.detail if as_json else json.dumps(event.detail, ensure_ascii=False),
    }
