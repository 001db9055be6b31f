"""Templates of requests: whatever is put in, the body is JSON and holds exactly that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.errors import InvalidInput
from embedway.models.template import Template

VENDOR = '{"input": ["%{input}"], "input_type": "%{input_type}"}'
ESCAPED = r"{\"input\": [\"%{input}\"], \"input_type\": \"%{input_type}\"}" + "\n"

texts = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ['"', "\\", '\\"}', "%{input}", "${input_type}", "\ud800", "\x00", "\u2028", '", "x": "', "\\u0041"]
)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
trees = st.recursive(values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def fill(template: str, *inputs: str, **values: object) -> Any:
    return json.loads(Template(template).fill(inputs, values))


@pytest.mark.parametrize(
    "template",
    [
        VENDOR,
        VENDOR.replace("%", "$"),
        ESCAPED,
        ESCAPED.replace("\n", r"\n"),
        ESCAPED.replace("\\", "\\\\\\"),
        '{"input":["%{ input }"],"input_type":${input_type}}',
        '{"input": [%{input}], "%{key}": "%{input_type}"}',
    ],
)
@given(text=texts, role=texts)
def test_any_text_is_held_exactly(template: str, text: str, role: str) -> None:
    """In the vendor's forms, also escaped once or twice too often; a parameter without the white space around it."""
    body = fill(template, text, input_type=f" {role}\n", key="input_type")
    assert body == {"input": [text], "input_type": role.strip()}


@given(trees, texts)
def test_a_bare_variable_is_a_json_value(value: Any, text: str) -> None:
    """Whatever it is; within a string it is that value's text."""
    body = fill('{"bare": %{value}, "in": "<%{value}>", "input": "%{input}"}', text, value=value)
    if isinstance(value, str):
        assert (body["bare"], body["in"]) == (value.strip(), f"<{value.strip()}>")
    else:
        assert body["bare"] == value
        assert json.loads(body["in"][1:-1]) == value
    assert body["input"] == text


@given(st.lists(texts, min_size=1, max_size=16))
def test_a_list_takes_many(given_texts: list[str]) -> None:
    """In their order, where it holds nothing but the input."""
    template = Template(VENDOR)
    assert template.takes_many
    assert json.loads(template.fill(given_texts, {"input_type": "query"}))["input"] == given_texts


@pytest.mark.parametrize(
    "template",
    [
        '{"input": "%{input}"}',
        '{"input": ["data:image/png;base64,%{input}"]}',
        '{"input": ["%{input}", "x"]}',
        '{"input": [{"text": "%{input}"}]}',
        '{"input": ["%{input}"], "again": "%{input}"}',
    ],
)
def test_other_places_take_one(template: str) -> None:
    """A list that holds anything else, or an input that stands twice."""
    assert not Template(template).takes_many
    assert "%{" not in json.dumps(fill(template, "a text"))
    with pytest.raises(ValueError, match="one input at a time"):
        Template(template).fill(["a", "b"], {})


def test_variables_stand_in_keys_and_several_in_a_string() -> None:
    """Beside text, and what is put in is no template again."""
    body = fill(
        '{"a-%{x}": {"${y}": "%{x}${y}-%{input}"}, "%{x}": 1.5, ${y}: [null, true]}', "in", x="%{y}", y="ex ", z=""
    )
    assert body == {"a-%{y}": {"ex": "%{y}ex-in"}, "%{y}": 1.5, "ex": [None, True]}


def test_what_looks_like_no_variable_is_left() -> None:
    """Signs and braces of a prompt."""
    text = "100 % {x} $x {{y}} }%{"
    assert fill(json.dumps({"prompt": text, "input": "%{input}"}), "i") == {"prompt": text, "input": "i"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "no JSON"),
        ("input=%{input}", "no JSON"),
        ('{"input": "%{input}"', "no JSON"),
        ('{"input": "x" %{input}}', "no JSON"),
        ('{"input": "%{input}", "x": NaN}', "NaN is no number"),
        ('{"input": "%{input}", "x": 1e999}', "too large a number"),
        ('{"input": "%{input}", "x": "\\u0000"}', "NUL"),
        ('{"input": "text"}', "must hold"),
        ('{"input": "%{in put}"}', "no name of a variable"),
        ('{"input": "%{}"}', "no name of a variable"),
        ("[" * 200 + '"%{input}"' + "]" * 200, "nested in more than 100 levels"),
        ("[" * 100_000, "no JSON"),
        ('{"input": "%{input}", "x": "' + "x" * 100_000 + '"}', "more than 100,000 characters"),
    ],
)
def test_what_is_no_template_is_refused(template: str, said: str) -> None:
    """In one sentence that says why."""
    with pytest.raises(InvalidInput, match=said):
        Template(template)


def test_an_unknown_variable_is_refused_in_use() -> None:
    """And one whose value JSON cannot hold."""
    template = Template('{"input": "%{input}", "x": %{x}}')
    assert template.variables == {"input", "x"}
    with pytest.raises(InvalidInput, match="variable 'x' has no value"):
        template.fill(["text"], {"y": 1})
    with pytest.raises(InvalidInput, match="not finite"):
        template.fill(["text"], {"x": float("inf")})
