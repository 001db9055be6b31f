"""The comparison with golden files: it must find what differs, or the golden files prove nothing."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from .golden import DIMENSIONS, decode, faults, vector_faults

NUMBERS = [0.1, -0.25]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1),
        ({"a": 1, "b": [True, None]}, {"a": 1, "b": [True, None]}),
        ({"a": 1, "<more>": True}, {"a": 1, "b": 2}),
        ("<int>", 3),
        ("<number>", 0.5),
        ("<text>", "x"),
    ],
)
def test_equal_answers_have_no_faults(expected: Any, actual: Any) -> None:
    """What is as it should be is passed."""
    assert faults(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        ("1", 1),
        (None, 0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1, "<more>": True}, {"b": 2, "a": 1}),
        ([1, 2], [1]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}),
        ("<int>", 3.0),
        ("<int>", True),
        ("<number>", -1),
        ("<number>", None),
        ("<text>", ""),
        ("<text>", 1),
        ("<vector: hi>", NUMBERS),
        ("<vector: hi>", [0.0] * DIMENSIONS),
        ("<vector: hi>", None),
        ("<base64: hi>", NUMBERS),
        ("<base64: hi>", base64.b64encode(struct.pack("<2f", *NUMBERS)).decode()),
    ],
)
def test_different_answers_have_faults(expected: Any, actual: Any) -> None:
    """A wrong value, type, key, order or length is found, however deep it lies."""
    assert faults(expected, actual) != []


def test_vector_of_another_text_is_found() -> None:
    """A vector that is sound in itself but belongs to another text is told apart by its first numbers."""
    unit = [1.0] + [0.0] * (DIMENSIONS - 1)
    assert vector_faults(unit, "hi") != []


def test_base64_is_little_endian_float32() -> None:
    """Decoding reads four bytes a number, the lowest first."""
    assert decode("AACAPwAAAMA=") == [1.0, -2.0]
