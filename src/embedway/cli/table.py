"""Rows on a terminal, or for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def say(sentence: str, as_json: bool, **facts: Any) -> str:
    """What a command did, in a sentence or as one JSON object of its facts."""
    return json.dumps(facts, ensure_ascii=False) if as_json else sentence


def render(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], as_json: bool) -> str:
    """A table, or one JSON object a line."""
    if as_json:
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    cells = [[str(row[column]) if row[column] is not None else "-" for column in columns] for row in rows]
    table = [list(columns), *cells]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )
