"""Golden files: whole answers, compared in keys, order, types and values.

A golden answer is JSON. What cannot be known in advance stands there as a marker:

    "<text>"  "<int>"  "<number>"   any non-empty string, integer, or number that is not negative
    "<vector: TEXT>"                the bundled model's vector of TEXT, as floats
    "<base64: TEXT>"                the same, as base64 of little-endian float32
    "<more>": true                  as the last key of an object: other keys may follow

Length and first numbers of the vectors come from `golden/vectors.json`, which sentence-transformers made.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("golden")
DIMENSIONS = 384
TOLERANCE = 1e-4
MORE = "<more>"

_VECTOR = re.compile(r"<(vector|base64): (.+)>", re.DOTALL)
_KNOWN: dict[str, dict[str, Any]] = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


def tokens(text: str) -> int:
    """Return how many tokens the bundled model reads of a text listed in `vectors.json`."""
    return int(_KNOWN[text]["tokens"])


def decode(encoded: str) -> list[float]:
    """Return the floats of a base64 vector."""
    data = base64.b64decode(encoded, validate=True)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def vector_faults(vector: Any, text: str) -> list[str]:
    """Say what is wrong with the vector of a text listed in `vectors.json`; nothing when it is right."""
    if not isinstance(vector, list) or not all(type(number) is float for number in vector):
        return [f"not a list of floats: {str(vector)[:80]}"]
    if len(vector) != DIMENSIONS:
        return [f"{len(vector)} numbers, not {DIMENSIONS}"]
    first = _KNOWN[text]["first"]
    faults = []
    if any(abs(left - right) > TOLERANCE for left, right in zip(vector, first, strict=False)):
        faults.append(f"begins with {vector[: len(first)]}, not {first}")
    if abs(math.hypot(*vector) - 1) > TOLERANCE:
        faults.append(f"its length is {math.hypot(*vector)}, not 1")
    return faults


def faults(expected: Any, actual: Any, path: str = "$") -> list[str]:
    """Say in which places an answer differs from its golden form; nothing when it is as it should be."""
    if isinstance(expected, str) and (marked := _VECTOR.fullmatch(expected)):
        return [f"{path}: {fault}" for fault in _marked_vector(*marked.groups(), actual)]
    if isinstance(expected, str) and expected in _MARKERS:
        return [] if _MARKERS[expected](actual) else [f"{path}: {actual!r} is no {expected}"]
    if type(expected) is not type(actual):
        return [f"{path}: {type(actual).__name__} {str(actual)[:80]!r}, not {expected!r}"]
    if isinstance(expected, dict):
        return _object(expected, actual, path)
    if isinstance(expected, list):
        if len(expected) != len(actual):
            return [f"{path}: {len(actual)} entries, not {len(expected)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [fault for index, (left, right) in pairs for fault in faults(left, right, f"{path}[{index}]")]
    return [] if expected == actual else [f"{path}: {actual!r}, not {expected!r}"]


def _object(expected: dict[str, Any], actual: dict[str, Any], path: str) -> list[str]:
    keys = [key for key in expected if key != MORE]
    found = list(actual)[: len(keys)] if MORE in expected else list(actual)
    if keys != found:
        return [f"{path}: keys {list(actual)}, not {list(expected)}"]
    return [fault for key in keys for fault in faults(expected[key], actual[key], f"{path}.{key}")]


def _marked_vector(form: str, text: str, actual: Any) -> list[str]:
    if form == "vector":
        return vector_faults(actual, text)
    if not isinstance(actual, str):
        return [f"not base64 text: {str(actual)[:80]}"]
    return vector_faults(decode(actual), text)


_MARKERS = {
    "<text>": lambda value: isinstance(value, str) and value != "",
    "<int>": lambda value: type(value) is int and value >= 0,
    "<number>": lambda value: type(value) in (int, float) and value >= 0,
}
