"""JSON goes through the registry as it was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.catalog.verbatim import MAX_DEPTH, parse, write
from embedway.errors import InvalidInput

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_was_parsed_is_written_again(value: dict[str, Any]) -> None:
    """The same values, in the same order, whatever they are."""
    written = write(parse(json.dumps(value)))
    assert json.loads(written) == value
    assert list(json.loads(written)) == list(value)


@pytest.mark.parametrize(
    "number", ["1.0", "1", "1e3", "1E+3", "-0", "-0.0", "0.10", "123456789012345678901234567890", "1e400"]
)
def test_numbers_keep_their_spelling(number: str) -> None:
    """Not even their length or their exponent changes."""
    assert write(parse(f'{{"a": [{number}]}}')) == f'{{"a":[{number}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        '"a"',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": "\\ud800"}',
        "{'a': 1}",
        b'{"a": "\xff"}',
    ],
)
def test_what_is_no_object_is_refused(text: str | bytes) -> None:
    """With a sentence and the field, whatever is wrong with it."""
    with pytest.raises(InvalidInput) as refused:
        parse(text, "$.content")
    assert refused.value.field == "$.content"


def test_depth_is_bounded() -> None:
    """What is nested as deep as is allowed is taken, one more is refused, and a thousand times that as well."""
    for depth, good in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)):
        text = '{"a":' * depth + "1" + "}" * depth
        if good:
            assert write(parse(text)) == text
        else:
            with pytest.raises(InvalidInput):
                parse(text)
