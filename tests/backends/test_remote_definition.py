"""What a definition may say, and what is made of it."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest

from embedway.backends.remote import RemoteBackend, remote_facts
from embedway.backends.remote_definition import Definition, check_remote
from embedway.errors import InvalidInput, RemoteFailed, SettingsError
from embedway.types import Image, Output, Pair, Phase, Text
from tests.tiny.pictures import PICTURES

from .services import Question, Reply, ask, asking, lengths, registered, remote

URL = "https://api.example.com/v1/embed"


def made(url: str = URL, **given: Any) -> Definition:
    return Definition(remote(url, **{"private": False} | given))


def test_the_vendors_own_sample_is_taken() -> None:
    """With its line breaks and its escapes too many; stored values stay as they are."""
    sample = remote(
        URL + "\n",
        body=r"{\"input\": [\"%{input}\"], \"input_type\": \"%{input_type}\"}" + "\n",
        response="$.result.embeddings[*].embedding\n",
        headers={"Authorization": "Bearer OS-v0********6vvs\n", "Content-Type": "application/json\n"},
        build=Phase({"input_type": "query\n"}, {"test": "test", "test2": 1}),
        search=Phase({"input_type": "document\n"}, {"test": "test", "test2": 1}),
    )
    definition = Definition(sample)
    assert definition.address("build") == URL + "?test=test&test2=1"
    assert definition.body("build", ["a", "b"]) == b'{"input":["a","b"],"input_type":"query"}'
    assert definition.body("search", ["a"]) == b'{"input":["a"],"input_type":"document"}'
    assert definition.headers["authorization"] == "Bearer OS-v0********6vvs"
    assert definition.headers["content-type"] == "application/json"
    assert definition.takes_many
    assert definition.remote.response.endswith("\n")


def test_parameters_of_the_url() -> None:
    """Numbers, truths and texts join what the URL has; nothing in them can end their place."""
    params = {"n": 1.5, "yes": True, "text": " a&b=c#d é\n", "n2": -3}
    definition = made(URL + "?key=a%20b&key=2", build=Phase({"input_type": "x"}, params))
    assert definition.address("build") == URL + "?key=a%20b&key=2&n=1.5&yes=true&text=a%26b%3Dc%23d%20%C3%A9&n2=-3"
    assert definition.address("search") == URL + "?key=a%20b&key=2"


def test_they_are_sent_so() -> None:
    """By PUT too, with the headers as they are."""
    with asking(
        method="PUT",
        headers={"X-Feature": " on ", "Content-Type": "application/json; charset=utf-8"},
        build=Phase({"input_type": "document"}, {"a": "b c"}),
    ) as (backend, service):
        assert lengths(ask(backend, "four")) == [4.0]
        (question,) = service.asked
        assert (question.method, question.path) == ("PUT", "/embed?a=b%20c")
        assert question.headers["x-feature"] == "on"
        assert question.headers["content-type"] == "application/json; charset=utf-8"
        assert question.headers["accept-encoding"] == "identity"
        assert "user-agent" not in question.headers
        assert "cookie" not in question.headers


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"url": "ftp://example.com/"}, "$.url", "must begin with http"),
        ({"url": "https://me:secret@example.com/"}, "$.url", "hold no user name"),
        ({"url": "embed"}, "$.url", "must begin with http"),
        ({"url": "https:///x"}, "$.url", "must begin with http|none that can be read"),
        ({"url": "https://example.com:99999/"}, "$.url", "a host or a port"),
        ({"url": "https://exa mple.com/"}, "$.url", "a host or a port"),
        ({"url": "https://example.com/" + "x" * 5000}, "$.url", "4,096 characters"),
        ({"url": "http://127.0.0.1/"}, "$.url", "not public"),
        ({"url": "http://LOCALHOST./"}, "$.url", "not public"),
        ({"url": "http://[::1]/"}, "$.url", "not public"),
        ({"url": "http://169.254.169.254/latest"}, "$.url", "not public"),
        ({"method": "GET"}, "$.method", "POST or PUT"),
        ({"body": "{"}, "$.request.requestBody", "no JSON"),
        ({"body": "{}"}, "$.request.requestBody", "must hold"),
        ({"body": '{"input": "%{input}", "x": "%{unknown}"}'}, "$.request.requestBody", "'unknown' has no value"),
        ({"response": "result"}, "$.response.embeddings", "JSONPath cannot be read"),
        ({"response": "$.a["}, "$.response.embeddings", "JSONPath cannot be read"),
        ({"response": "$[?search(@.a, '(a+)+b')]"}, "$.response.embeddings", "JSONPath cannot be read"),
        ({"response": "$" + ".a" * 600}, "$.response.embeddings", "1,000 characters"),
        ({"headers": {"Host": "elsewhere"}}, "$.request.header.Host", "not yours to set"),
        ({"headers": {"content-length": "1"}}, "$.request.header.content-length", "not yours to set"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "$.request.header.Transfer-Encoding", "not yours to set"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "$.request.header.X-A", "line break"),
        ({"headers": {"X-A": "köd 漢"}}, "$.request.header.X-A", "cannot hold"),
        ({"headers": {"X A": "1"}}, "$.request.header.X A", "no name of a header"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "$.request.header.x-a", "given twice"),
        ({"search": Phase({}, {"a": [1]})}, "$.request.urlParams.search", "must be a text, a number"),
        ({"headers": {"x": "a" * 8193}}, "$.request.header.x", "more than 8,192 characters"),
        ({"search": Phase({}, {"a": float("inf")})}, "$.request.urlParams.search", "not finite"),
        ({"build": Phase({"x": float("nan")})}, "$.request.parameters.build.x", "not finite"),
    ],
)
def test_what_cannot_be_used_is_refused(given: dict[str, Any], field: str, said: str) -> None:
    """With the field of the vendor's `content`, and no header's value in the sentence."""
    definition = dataclasses.replace(remote(URL, private=False), **given)
    with pytest.raises(InvalidInput, match=said) as caught:
        check_remote(definition)
    assert caught.value.field == field
    assert "secret" not in caught.value.message
    with pytest.raises(SettingsError, match=said):
        RemoteBackend(registered(definition))


def test_private_urls_are_taken_where_they_are_allowed() -> None:
    """On loopback, by number or by name."""
    for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1"):
        check_remote(remote(f"http://{host}:8000/embed"))


def test_a_variable_of_one_phase_is_asked_for_in_the_other() -> None:
    """Given a template whose variable only the search has: queries are prepared, documents are not."""
    backend = RemoteBackend(registered(remote(URL, build=Phase())))
    assert backend.prepare(Text("x", "query")).cost > 0
    with pytest.raises(InvalidInput, match="needs 'input_type', which the build parameters"):
        backend.prepare(Text("x"))
    backend.close()


def test_a_path_to_one_place_takes_one_input() -> None:
    """Though the template has a list."""
    assert not made(response="$.data[0].embedding").takes_many


def test_where_a_task_is_looked_at() -> None:
    """Beside the path that took it, with the phase's parameters, and nothing of the task's id can lead elsewhere."""
    definition = made(
        "https://h.example:8443/x/async/?a=1", search=Phase({"input_type": "x"}, {"b": 2}), kind="image_analyze"
    )
    assert definition.status_address("build", "t-1") == "https://h.example:8443/x/async/task-status?a=1&task_id=t-1"
    assert definition.status_address("search", "../&?#").endswith("/async/task-status?a=1&b=2&task_id=..%2F%26%3F%23")


def test_secrets_are_taken_out() -> None:
    """Whole values, what follows a scheme, and keys in the URL; also as JSON and URLs write them."""
    definition = made(
        URL + "?api_key=k%20123456&plain=visible",
        headers={"Authorization": 'Basic dXNl"cg==', "Token": "deploy-token", "X-Flag": "on"},
    )
    told = 'Basic dXNl"cg== dXNl\\"cg== deploy-token k 123456 k%20123456 visible on application/json'
    assert definition.scrub(told) == "*** *** *** *** *** visible on application/json"


def test_secret_parameters_are_taken_out_too() -> None:
    """Of both phases, of the body and the URL, at any depth; names that only look like it are none."""
    build = Phase({"hf_token": "hf-12345", "deep": {"password": ["pw-1234", 567890]}, "return_token": "many"})
    search = Phase({"input_type": "query", "keywords": "shown"}, {"subscription-key": "sub-1234"})
    definition = made(URL + "?api_token=at-12345&design=plain", build=build, search=search, body='{"a": "%{input}"}')
    told = "hf-12345 pw-1234 567890 many query shown sub-1234 at-12345 plain"
    assert definition.scrub(told) == "*** *** *** many query shown *** *** plain"


def test_no_secret_of_the_body_is_in_an_error() -> None:
    """Though the service says it."""

    def echo(question: Question) -> Reply:
        return Reply(400, json.dumps({"error": {"message": f"Invalid api_key {question.json()['api_key']}"}}).encode())

    phase = Phase({"api_key": "TOPSECRET-TOPSECRET"})
    with asking(echo, body='{"api_key": "%{api_key}", "a": "%{input}"}', build=phase, search=phase) as (backend, _):
        (outcome,) = ask(backend, "text")
        assert isinstance(outcome, RemoteFailed)
        assert outcome.message.endswith("answers with status 400: Invalid api_key ***.")


def test_half_a_secret_is_not_shown_either() -> None:
    """Where the service's message is cut, by its own length or by ours."""
    secret = "0123456789abcdef"
    definition = made(headers={"Authorization": f"Bearer {secret}"})
    told = f"x{secret}" * 30
    for length in range(len(told)):
        assert "0123" not in definition.quote(told[:length], 60)
        assert "0123" not in definition.scrub(f"no {secret} but Bearer {secret}"[:length], cut=True)


def test_a_long_secret_costs_no_more_than_its_length() -> None:
    """The longest that a header may hold, and a text that is full of what looks like its beginning."""
    definition = made(headers={"Authorization": "Bearer " + "a" * 8185})
    started_s = time.monotonic()
    assert definition.scrub("x" + "a" * 3000, cut=True) == "x"
    assert definition.scrub(likely := "a" * 7000 + "b", cut=True) == likely
    assert [definition.scrub("hello", cut=True) for _ in range(1000)] == ["hello"] * 1000
    assert time.monotonic() - started_s < 1


def test_what_is_prepared() -> None:
    """A cost of at least 1, more for longer texts, no more than the model reads; a prompt stands before the text."""
    backend = RemoteBackend(registered(remote(URL)))
    assert [backend.prepare(Text(text)).cost for text in ("", "abc", "x" * 300, "x" * 200_000)] == [2, 3, 102, 32_768]
    assert backend.prepare(Text("b", prompt="a")).given == "ab"  # type: ignore[attr-defined]
    for item, said in (
        (Image(PICTURES["wide"]), "reads texts only"),
        (Pair("a", "b"), "scores no pairs"),
        (Text("a", prompt_name="query"), "prompts and instructions are not known"),
        (Text("a", instruction="find"), "prompts and instructions are not known"),
    ):
        with pytest.raises(InvalidInput, match=said):
            backend.prepare(item)
    for work in (
        lambda: backend.vocabulary.tokenize(Text("a")),
        lambda: backend.vocabulary.decode([1]),
        lambda: backend.vocabulary.spell([1]),
    ):
        with pytest.raises(InvalidInput, match="tokens are not known here"):
            work()
    backend.close()


def test_facts_ask_nobody_and_hold_no_secret() -> None:
    """The same definition has the same revision, whatever its credentials."""
    one = registered(remote(URL, headers={"Authorization": "Bearer one"}))
    other = registered(remote(URL, headers={"Authorization": "Bearer other"}))
    assert remote_facts(one) == remote_facts(other)
    assert remote_facts(one) != remote_facts(registered(remote(URL, dimensions=3)))
    assert "Bearer" not in repr(one)
    assert remote_facts(registered(remote(URL, kind="text_sparse_embedding"))).outputs == Output.SPARSE
    assert remote_facts(registered(remote(URL, kind="image_analyze"))).dimensions == 0
