"""What a remote model's answer holds: results found, checked, and made into outputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson

from embedway.backends.remote_path import TooMuch, walk
from embedway.types import Outputs, RemoteKind, Sparse, Vector

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathQuery

Cause = Literal["down", "late", "throttled", "broken", "input", "refused", "answer"]
"""`down`: nobody answers, or a proxy says so. `late`: we have no time left to wait. `throttled`: status 429. `broken`:
status 500. `input`: it does not take this input, or not so many. `refused`: it takes none of ours, or we do not ask it.
`answer`: the answer is no answer."""
COUNTERS = ("token_count", "total_tokens", "prompt_tokens", "input_tokens")
_MOST_TOKENS = 2**40
_LAST_ID = 2**31 - 1
MOST_BYTES = 64 * 2**20
"""Of one answer, however many inputs it is for."""
_BYTES_PER_INPUT = 2**20
_BYTES_PER_NUMBER = 64
"""With its digits, and the white space of an answer that is made to be looked at."""
_MOST_NUMBERS = 65_536
"""Of one input where the definition does not say how many; a text of a picture has as much room."""


class Setback(Exception):
    """A request to a remote model that came to nothing. `said` is the end of a sentence that begins with its host."""

    def __init__(self, cause: Cause, said: str, retry_after_s: float | None = None) -> None:
        super().__init__(said)
        self.cause = cause
        self.said = said
        self.retry_after_s = retry_after_s

    @property
    def passing(self) -> bool:
        """Whether the very same request may do better a moment later."""
        return self.cause in ("down", "throttled", "broken")

    @property
    def general(self) -> bool:
        """Whether other inputs would fare no better."""
        return self.cause in ("down", "late", "throttled", "refused")


def most_bytes(dimensions: int, count: int) -> int:
    """Bytes that the answer for `count` inputs may have; `dimensions` is 0 where it is not known."""
    return min(MOST_BYTES, count * (_BYTES_PER_INPUT + _BYTES_PER_NUMBER * (dimensions or _MOST_NUMBERS)))


def parse(body: bytes) -> Any:
    """The values of a JSON text. Raises `Setback`, also for numbers that are not finite and for what is not UTF-8."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Setback("answer", f"gives an answer that is no JSON ({error.msg[:80]})") from error


def find(path: JSONPathQuery, value: Any, count: int) -> list[Any]:
    """What the JSONPath finds, in the answer's order, up to one more than `count`. Raises `Setback`."""
    import jsonpath_rfc9535

    try:
        return list(itertools.islice(walk(path, value), count + 1))
    except (jsonpath_rfc9535.JSONPathError, RecursionError, TooMuch) as error:
        raise Setback("answer", "gives an answer that the JSONPath cannot be applied to") from error


def read(kind: RemoteKind, dimensions: int, found: Sequence[Any], count: int) -> list[Outputs]:
    """The outputs of `count` inputs; `dimensions` 0 takes vectors of any length. Raises `Setback`."""
    if len(found) > count:
        raise Setback("answer", f"gives more than {count} results for {count} inputs where the JSONPath leads")
    if len(found) < count:
        raise Setback("answer", f"gives {len(found)} results for {count} inputs where the JSONPath leads")
    return [_READERS[kind](one, dimensions) for one in found]


def share(value: Any, costs: Sequence[int]) -> list[int | None]:
    """The tokens that the answer's `usage` counts, shared out by the inputs' estimated costs; the sum is exact.

    None for each where it counts none.
    """
    usage = value.get("usage") if isinstance(value, dict) else None
    told = [usage.get(name) for name in COUNTERS] if isinstance(usage, dict) else []
    total = next((one for one in told if type(one) is int and 0 <= one <= _MOST_TOKENS), None)
    if total is None:
        return [None] * len(costs)
    ends = np.cumsum(costs, dtype=object)
    bounds = [0, *(total * int(end) // int(ends[-1]) for end in ends)]
    return [after - before for before, after in itertools.pairwise(bounds)]


def _read_vector(found: Any, dimensions: int) -> Outputs:
    vector = _numbers(found, "list of numbers")
    if dimensions and len(vector) != dimensions:
        raise Setback("answer", f"gives a vector of {len(vector)} numbers instead of {dimensions}")
    if not len(vector):
        raise Setback("answer", "gives a vector without numbers")
    return Outputs(dense=vector)


def _read_sparse(found: Any, dimensions: int) -> Outputs:
    ids, weights, ordered = _terms(found)
    if any(type(one) is not int or not 0 <= one <= _LAST_ID for one in ids):
        raise Setback("answer", "gives a term whose id is no whole number from 0 to 2,147,483,647")
    if len(set(ids)) != len(ids):
        raise Setback("answer", "gives the weight of one term twice")
    given = np.array(ids, dtype=np.int32)
    ascending = np.argsort(given, kind="stable")
    order = np.argsort(ascending, kind="stable").astype(np.int32) if ordered else None
    return Outputs(sparse=Sparse(given[ascending], _numbers(weights, "numbers as weights")[ascending], order))


def _terms(found: Any) -> tuple[list[Any], list[Any], bool]:
    """Ids and weights, and whether they stand in the order of the text."""
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return [one.get("token_id") for one in found], [one.get("weight") for one in found], True
    if isinstance(found, dict) and isinstance(found.get("indices"), list) and isinstance(found.get("values"), list):
        if len(found["indices"]) != len(found["values"]):
            raise Setback("answer", "gives indices and values of different number")
        return found["indices"], found["values"], False
    if isinstance(found, dict):
        ids = [int(key) if key.isascii() and key.isdecimal() and len(key) <= 10 else key for key in found]
        return ids, list(found.values()), False
    raise Setback("answer", "gives no weights of terms where the JSONPath leads")


def _read_content(found: Any, dimensions: int) -> Outputs:
    if not isinstance(found, str):
        raise Setback("answer", "gives no text where the JSONPath leads")
    return Outputs(content=found)


def _numbers(found: Any, wanted: str) -> Vector:
    """float32. Raises `Setback` for other things, and for numbers that float32 cannot hold."""
    if not isinstance(found, list) or not all(type(one) in (int, float) for one in found):
        raise Setback("answer", f"gives no {wanted} where the JSONPath leads")
    with np.errstate(over="ignore"):
        numbers = np.array(found, dtype=np.float64).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise Setback("answer", "gives a number that is too large")
    return numbers


_READERS: Mapping[RemoteKind, Callable[[Any, int], Outputs]] = {
    "text_embedding": _read_vector,
    "image_embedding": _read_vector,
    "text_sparse_embedding": _read_sparse,
    "image_analyze": _read_content,
}
