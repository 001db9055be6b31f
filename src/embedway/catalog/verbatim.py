"""JSON as it was sent: keys in their order, numbers as they were spelled, unknown keys untouched.

A definition comes back to its owner as it was given, so it is never put through Python's numbers: 1.0 stays 1.0, and an
integer of thirty digits stays whole.
"""

from __future__ import annotations

import json
from typing import TypeAlias

from embedway.errors import InvalidInput

MAX_DEPTH = 32


class Number(str):
    """A JSON number in the letters in which it was sent."""

    __slots__ = ()


Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | bool | None"
"""A JSON value; a number that was sent is a `Number`."""
Object: TypeAlias = "dict[str, Tree]"


def parse(text: str | bytes, field: str = "$") -> Object:
    """A JSON object. Raises `InvalidInput` for what is none, too deep, or no text that can be written."""
    try:
        found = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
        if not isinstance(found, dict):
            raise InvalidInput("Expected a JSON object.", field)
        _check_depth(found, field)
        write(found).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"JSON parse error: {error}.", field) from error
    return found


def write(tree: Tree) -> str:
    """The JSON of a value, without spaces."""
    if isinstance(tree, dict):
        return "{" + ",".join(f"{_text(key)}:{write(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(write, tree)) + "]"
    if isinstance(tree, Number):
        return str(tree)
    return _text(tree) if isinstance(tree, str) else json.dumps(tree)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _check_depth(tree: Tree, field: str, depth: int = 1) -> None:
    if not isinstance(tree, dict | list):
        return
    if depth > MAX_DEPTH:
        raise InvalidInput(f"JSON parse error: objects within objects, more than {MAX_DEPTH} deep.", field)
    for one in tree.values() if isinstance(tree, dict) else tree:
        _check_depth(one, field, depth + 1)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
