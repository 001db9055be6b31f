"""Times on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from embedway.errors import SettingsError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 36_500 * 86_400


def read_seconds(given: str, flag: str) -> float:
    """`90d`, `12h`, `30m` or `45s` in seconds. Raises `SettingsError`, which names the flag."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", given.strip().lower())
    seconds = float(int(found[1]) * _UNITS[found[2]]) if found else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise SettingsError(f"{flag} must read like 90d, 12h, 30m or 45s, up to 36500d, not '{given}'.")
    return seconds


def moment(at_s: float | None) -> str | None:
    """Unix time in UTC, such as 2026-11-21T14:00:00Z."""
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
