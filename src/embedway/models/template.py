"""The JSON template of a remote model's request: where its variables stand, and filling them in.

`%{x}` and `${x}` stand for the variable x. Source: Alibaba Cloud help, OpenSearch Vector Search Edition, "GetModel" and
its page on custom models, which write one form each. Within a string of the template a value is put as text, elsewhere
as a JSON value; keys are strings too. What is put in is never read as a template again, and the result is always JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedway.errors import InvalidInput

INPUT = "input"
MAX_CHARACTERS = 100_000
_PLACE = re.compile(r"[%$]\{([^{}]*)\}")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[%$]\{([^{}]*)\}', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_MARK = "\x00"  # begins a string that stands for a bare variable; in JSON it can only be written as an escape
_MAX_DEPTH = 100
_ESCAPES = 3  # times that a template may have been escaped too often


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable that stands bare."""

    name: str


@dataclass(frozen=True, slots=True)
class _Words:
    """A string with variables in it: texts and variables by turns."""

    parts: tuple[str | _Variable, ...]


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The list that holds nothing but the input."""


class Template:
    """A parsed template. `variables` are the names in it; `takes_many` says whether one request holds many inputs."""

    def __init__(self, text: str) -> None:
        """Raise `InvalidInput` for what is no template."""
        if len(text) > MAX_CHARACTERS:
            raise InvalidInput(f"The template has more than {MAX_CHARACTERS:,} characters.")
        self._tree = _compile(_parse(text.strip()))
        found = list(_variables(self._tree))
        self.variables = frozenset(found)
        if INPUT not in self.variables:
            raise InvalidInput("The template must hold %{input}: it stands for the text or the image.")
        self._many = found.count(INPUT) == 1 and any(isinstance(part, _Inputs) for part in _parts(self._tree))

    @property
    def takes_many(self) -> bool:
        return self._many

    def fill(self, inputs: Sequence[str], values: Mapping[str, object]) -> bytes:
        """The body for these inputs, several only where the template takes many, with the other variables' `values`.

        Raises `InvalidInput` for a variable without a value.
        """
        if len(inputs) != 1 and not self._many:
            raise ValueError("this template takes one input at a time")
        known = {name: used(value) for name, value in values.items()} | {INPUT: inputs[0]}
        body = _fill(self._tree, known, inputs)
        try:
            return as_json(body).encode()
        except UnicodeEncodeError:  # half of a surrogate pair has no UTF-8: JSON escapes it
            return as_json(body, ascii_only=True).encode()


def used(value: object) -> object:
    """A stored value as it is used: a text without the white space around it, which the vendor's samples have."""
    return value.strip() if isinstance(value, str) else value


def as_text(value: object) -> str:
    """A value within a text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: object, ascii_only: bool = False) -> str:
    """Raise `InvalidInput` for what JSON cannot hold."""
    try:
        return json.dumps(value, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError) as error:
        raise InvalidInput("A parameter is not finite, or nothing that JSON can hold.") from error


def _parse(text: str) -> Any:
    """The template as JSON values, bare variables as marked strings."""
    first: ValueError | None = None
    for _ in range(_ESCAPES):
        try:
            return json.loads(_mark(text), parse_constant=_refuse_constant, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            first = first or (error if isinstance(error, ValueError) else ValueError("nested too deeply"))
        try:  # the vendor's sample is escaped as if it stood in a JSON string once more
            text = json.loads(f'"{text}"', strict=False).strip()
        except ValueError:
            break
    raise InvalidInput(f"The template is no JSON: {first}.") from first


def _mark(text: str) -> str:
    """Bare variables replaced by marked strings. Raises `InvalidInput` for a string that looks like one."""

    def replace(piece: re.Match[str]) -> str:
        if piece[1] is not None:
            return json.dumps(_MARK + _checked(piece[1]))
        if "\\u0000" in piece[0]:
            raise InvalidInput("The template holds the character NUL: leave it out.")
        return piece[0]

    return _PIECE.sub(replace, text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _checked(name: str) -> str:
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"'{name[:80]}' is no name of a variable: write %{{input}}, or a name of the parameters.")
    return name


def _compile(value: Any, depth: int = 0) -> Any:
    """The tree with its variables found, in keys too."""
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"The template is nested in more than {_MAX_DEPTH} levels.")
    if isinstance(value, dict):
        return {_key(key): _compile(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return _inputs(value) or [_compile(one, depth + 1) for one in value]
    if isinstance(value, str) and value.startswith(_MARK):
        return _Variable(value[1:])
    return _words(value) if isinstance(value, str) and _PLACE.search(value) else value


def _key(key: str) -> str | _Words:
    if key.startswith(_MARK):  # JSON has no keys but texts
        return _Words((_Variable(key[1:]),))
    return _words(key) if _PLACE.search(key) else key


def _inputs(value: list[Any]) -> _Inputs | None:
    if len(value) != 1 or not isinstance(value[0], str):
        return None
    place = _PLACE.fullmatch(value[0])
    bare = value[0] == _MARK + INPUT
    return _Inputs() if bare or (place and place[1].strip() == INPUT) else None


def _words(text: str) -> _Words:
    pieces = _PLACE.split(text)  # texts and names by turns
    return _Words(tuple(_Variable(_checked(piece)) if index % 2 else piece for index, piece in enumerate(pieces)))


def _parts(tree: Any) -> Iterator[Any]:
    """Everything in the tree that is no list and no object."""
    if isinstance(tree, dict):
        for key, one in tree.items():
            yield key
            yield from _parts(one)
    elif isinstance(tree, list):
        for one in tree:
            yield from _parts(one)
    else:
        yield tree


def _variables(tree: Any) -> Iterator[str]:
    """The names of the variables, each as often as it stands there."""
    for part in _parts(tree):
        if isinstance(part, _Inputs):
            yield INPUT
        elif isinstance(part, _Variable):
            yield part.name
        elif isinstance(part, _Words):
            yield from (one.name for one in part.parts if isinstance(one, _Variable))


def _fill(tree: Any, values: Mapping[str, object], inputs: Sequence[str]) -> Any:
    if isinstance(tree, dict):
        return {_fill(key, values, inputs): _fill(one, values, inputs) for key, one in tree.items()}
    if isinstance(tree, list):
        return [_fill(one, values, inputs) for one in tree]
    if isinstance(tree, _Inputs):
        return list(inputs)
    if isinstance(tree, _Variable):
        return _value(tree, values)
    if isinstance(tree, _Words):
        return "".join(one if isinstance(one, str) else as_text(_value(one, values)) for one in tree.parts)
    return tree


def _value(variable: _Variable, values: Mapping[str, object]) -> object:
    if variable.name not in values:
        raise InvalidInput(f"The template's variable '{variable.name}' has no value in the parameters of this phase.")
    return values[variable.name]
