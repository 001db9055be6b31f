"""A definition is read as the vendor's documents have it, and what is wrong with it is named by its place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from embedway.catalog.definition import MAX_NAME, check_name, check_service, host_of, origin_of, read_definition
from embedway.catalog.verbatim import parse
from embedway.errors import InvalidInput
from embedway.models.template import Template
from embedway.types import Phase, RemoteSpec

GOOD: dict[str, Any] = {
    "modelType": "text_embedding",
    "dimension": 8,
    "url": "https://a.example/v1/embeddings\n",
    "method": "put",
    "request": {
        "header": {"Authorization": "Bearer x\n", "X-Number": 7},
        "urlParams": {"build": {"test": "test\n", "test2": 1}},
        "requestBody": '{"input": ["%{input}"], "input_type": "%{input_type}"}\n',
        "parameters": {"build": {"input_type": "document\n"}, "search": {"input_type": "query"}},
    },
    "response": {"embeddings": "$.result.embeddings[*].embedding\n"},
    "unknown": {"kept": 1},
}


def read(content: Any) -> RemoteSpec:
    return read_definition(parse(json.dumps(content)), timeout_s=3.0)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good definition with the value at a path of keys replaced, or removed where it is `...`."""
    content = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    inner = content
    for key in way:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return content


def test_the_whole_definition() -> None:
    """Everything arrives, without the white space at the ends of values that the vendor's own sample has."""
    assert read(GOOD) == RemoteSpec(
        kind="text_embedding",
        url="https://a.example/v1/embeddings",
        body='{"input": ["%{input}"], "input_type": "%{input_type}"}',
        response="$.result.embeddings[*].embedding",
        method="PUT",
        headers={"Authorization": "Bearer x", "X-Number": "7"},
        build=Phase({"input_type": "document"}, {"test": "test", "test2": 1}),
        search=Phase({"input_type": "query"}, {}),
        dimensions=8,
        timeout_s=3.0,
    )


@pytest.mark.parametrize(
    ("template", "given"),
    [
        ({"input": ["%{input}"], "input_type": "x"}, {"input": ["hi"], "input_type": "x"}),
        ({"input": 'say "%{input}"'}, {"input": 'say "hi"'}),
        ({"input": ["Instruct: x\nQuery: %{input}"]}, {"input": ["Instruct: x\nQuery: hi"]}),
    ],
)
def test_the_template_of_the_sample(template: object, given: object) -> None:
    """The vendor's sample escapes the template once too often; it is sent as it was meant, whatever it holds."""
    twice = json.dumps(json.dumps(template))[1:-1]
    remote = read(changed("request.requestBody", twice))
    assert json.loads(Template(remote.body).fill(["hi"], {})) == given


def test_what_may_be_left_out() -> None:
    """The method is POST, there are no headers and no parameters, and only dense vectors have a dimension."""
    content = {
        "modelType": "text_sparse_embedding",
        "url": "http://a.example",
        "request": {"requestBody": "{}"},
        "response": {"sparse_embeddings": "$.a"},
    }
    assert read(content) == RemoteSpec("text_sparse_embedding", "http://a.example", "{}", "$.a", timeout_s=3.0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modelType", ...),
        ("modelType", "text"),
        ("dimension", ...),
        ("dimension", 0),
        ("dimension", 65_537),
        ("dimension", "8"),
        ("dimension", 8.5),
        ("url", ...),
        ("url", "a.example"),
        ("url", "ftp://a.example"),
        ("url", "https://"),
        ("url", "https://a b.example/"),
        ("url", "https://a.example:99999/"),
        ("url", "https://a.example:x/"),
        ("url", "https://[::1"),
        ("url", "https://user:secret@a.example/"),
        ("method", "GET"),
        ("request", "text"),
        ("request.requestBody", ...),
        ("request.requestBody", " "),
        ("request.header", {"A": "x", "a": "y"}),
        ("request.header", {"A b": "x"}),
        ("request.header", {"A": "x\ny"}),
        ("request.header", {"A": "\u20ac"}),
        ("request.header", {"A": ["x"]}),
        ("request.urlParams", ["x"]),
        ("request.parameters.build", "x"),
        ("response.embeddings", ...),
        ("response.embeddings", 1),
        ("response", []),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any) -> None:
    """Each is refused with its place below `$.content`, and without its value where that may be a secret."""
    with pytest.raises(InvalidInput) as refused:
        read(changed(path, value))
    assert refused.value.field is not None
    assert refused.value.field.startswith("$.content")
    if value is not ... and "." not in path:
        assert path in refused.value.field or value in ("text",)
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("name", ["a", "a/b", "模型", "a b", "x" * MAX_NAME, "a/actions/debugger"])
def test_names(name: str) -> None:
    """Whatever a path can carry, with slashes and spaces within."""
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * (MAX_NAME + 1), "a\n", "a\x00b", " a", "a/", "/a", "a/actions/debug", "a\x85b", "a\ud800"]
)
def test_names_that_are_refused(name: str) -> None:
    """What no path, log or table can carry."""
    with pytest.raises(InvalidInput) as refused:
        check_name(name)
    assert refused.value.field == "$.name"


def test_origins() -> None:
    """Scheme, host and port, in any case and with the scheme's own port; never the path."""
    assert origin_of("HTTPS://A.Example/x") == origin_of("https://a.example:443/y?key=1") == ("https", "a.example", 443)
    assert host_of("http://[::1]:80/secret?key=1") == "http://[::1]:80"


def test_a_services_id_keeps_its_length() -> None:
    """Clients of a known id rely on the length of its vectors."""
    remote = read(GOOD)
    check_service("any", remote)
    with pytest.raises(InvalidInput, match="1024 dimensions"):
        check_service("ops-text-embedding-002", remote)
