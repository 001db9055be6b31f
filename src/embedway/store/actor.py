"""Who changes something; apart from `audit`, so that naming one needs no database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and in which request."""

    who: str
    request_id: str = ""
