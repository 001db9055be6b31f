"""JSONPaths, RFC 9535, of people who register models, on answers of services that nobody vouches for.

Parsed by a library; walked here, step by step, because its own walk cannot be stopped: a short path on a short answer
may lead to more places than there is time for.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from embedway.errors import InvalidInput

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathNode, JSONPathQuery

MAX_PATH_CHARACTERS = 1000
MAX_SEGMENTS = 32
MAX_FILTERS = 4
MOST_STEPS = 1_000_000
"""Places of an answer that are looked at; a vector's numbers are none unless the path leads to each of them."""
MOST_S = 2.0
"""Seconds for looking."""
_MAX_DEPTH = 100


class TooMuch(Exception):
    """A path leads through more of an answer than is looked at."""


@functools.lru_cache(maxsize=1024)
def compile_path(text: str) -> JSONPathQuery:
    """A JSONPath, RFC 9535, without the white space around it. Raises `InvalidInput`.

    Its functions for regular expressions are left out, and so is what multiplies an answer's size by itself: a second
    `..`, and a filter that looks through a whole list for each of its elements.
    """
    import jsonpath_rfc9535

    if len(text) > MAX_PATH_CHARACTERS:
        raise InvalidInput(f"The JSONPath has more than {MAX_PATH_CHARACTERS:,} characters.")
    environment = jsonpath_rfc9535.JSONPathEnvironment()
    for name in ("match", "search"):
        del environment.function_extensions[name]
    try:
        path = environment.compile(text.strip())
    except (jsonpath_rfc9535.JSONPathError, RecursionError, ValueError) as error:
        raise InvalidInput(
            f"The JSONPath cannot be read: {error}. Write one such as $.result.embeddings[*].embedding."
        ) from error
    _check(path)
    return path


def walk(path: JSONPathQuery, value: Any) -> Iterator[Any]:
    """What the path leads to, in the answer's order, each found when it is asked for. Raises `TooMuch`."""
    from jsonpath_rfc9535 import JSONPathNode

    steps, nodes = _Steps(), iter([JSONPathNode(value=value, location=(), parent=None, root=value)])
    for segment in path.segments:
        nodes = _follow(segment, nodes, steps)
    return (node.value for node in nodes)


class _Steps:
    """What a walk may still take."""

    def __init__(self) -> None:
        self._left = MOST_STEPS
        self._until_s = time.monotonic() + MOST_S

    def take(self) -> None:
        self._left -= 1
        if self._left < 0 or time.monotonic() > self._until_s:
            raise TooMuch


def _follow(segment: Any, nodes: Iterable[JSONPathNode], steps: _Steps) -> Iterator[JSONPathNode]:
    """Where a segment leads from the nodes."""
    for node in nodes:
        for place in _descend(node, steps) if _is_descendant(segment) else (node,):
            for selector in segment.selectors:
                yield from _select(selector, place, steps)


def _select(selector: Any, node: JSONPathNode, steps: _Steps) -> Iterator[JSONPathNode]:
    from jsonpath_rfc9535.filter_expressions import FilterContext
    from jsonpath_rfc9535.selectors import FilterSelector

    steps.take()
    if isinstance(selector, FilterSelector):
        for child in _children(node):
            steps.take()
            context = FilterContext(env=selector.env, current=child.value, root=node.root)
            if selector.expression.evaluate(context):
                yield child
        return
    for found in selector.resolve(node):
        steps.take()
        yield found


def _descend(node: JSONPathNode, steps: _Steps) -> Iterator[JSONPathNode]:
    """The node and all lists and objects below it, each before what it holds."""
    waiting = [node]
    while waiting:
        place = waiting.pop()
        yield place
        inner = []
        for child in _children(place, nested=True):
            steps.take()
            inner.append(child)
        if inner and len(place.location) - len(node.location) >= _MAX_DEPTH:
            raise TooMuch
        waiting += reversed(inner)


def _children(node: JSONPathNode, nested: bool = False) -> Iterator[JSONPathNode]:
    """What a list or an object holds; only other lists and objects where `nested`."""
    held: Iterable[tuple[Any, Any]] = ()
    if isinstance(node.value, dict):
        held = node.value.items()
    elif isinstance(node.value, list):
        held = enumerate(node.value)
    return (node.new_child(one, key, node) for key, one in held if not nested or isinstance(one, dict | list))


def _check(path: JSONPathQuery) -> None:
    """Raise `InvalidInput` for a path whose cost is not bounded by an answer's size."""
    filters = [one.expression for one in _selectors(path) if hasattr(one, "expression")]
    if sum(map(_is_descendant, path.segments)) > 1:
        raise InvalidInput("The JSONPath has more than one '..': name what is between them.")
    if len(path.segments) > MAX_SEGMENTS or len(filters) > MAX_FILTERS:
        raise InvalidInput(f"The JSONPath has more than {MAX_SEGMENTS} segments, or more than {MAX_FILTERS} filters.")
    if not all(query.singular_query() for one in filters for query in _queries(one)):
        raise InvalidInput("A filter of the JSONPath looks for more than one place: name one, such as @.type.")


def _selectors(path: JSONPathQuery) -> Iterator[Any]:
    return itertools.chain.from_iterable(segment.selectors for segment in path.segments)


def _queries(expression: Any) -> Iterator[JSONPathQuery]:
    """The queries within a filter's expression."""
    if hasattr(expression, "query"):
        yield expression.query
    inner = [getattr(expression, name, None) for name in ("expression", "left", "right")]
    for one in (*inner, *getattr(expression, "args", ())):
        if one is not None:
            yield from _queries(one)


def _is_descendant(segment: Any) -> bool:
    from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment

    return isinstance(segment, JSONPathRecursiveDescentSegment)
