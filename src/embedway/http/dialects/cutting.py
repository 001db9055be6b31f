"""How a request says what happens to a text too long: shared by the dialects that have words for it."""

from __future__ import annotations

from collections.abc import Mapping

from embedway.errors import InvalidInput
from embedway.types import Side, Truncation

SIDES: Mapping[str, Side] = {"left": "left", "right": "right"}


def read_side(direction: str | None) -> Side:
    """Where texts are cut, "Right" or "Left" in any case. Raises `InvalidInput`."""
    side = SIDES.get((direction or "right").lower())
    if side is None:
        raise InvalidInput("truncation_direction is Right or Left.", "$.truncation_direction")
    return side


def read_policy(truncate: bool | None) -> Truncation | None:
    """What happens to a text too long; None is the server's own policy."""
    if truncate is None:
        return None
    return "cut" if truncate else "error"
