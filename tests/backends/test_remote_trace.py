"""A trace tells all that came of a question, but no secret."""

from __future__ import annotations

import asyncio
import json

import pytest

from embedway.backends.trace import Trace, ask, mask
from embedway.types import RemoteSpec

from .services import NEVER, Question, Reply, length_vectors, misbehaving, remote, vectors

HEADERS = {"Authorization": "Bearer OS-v0abcdefghij6vvs", "Token": "short", "X-Long": "0123456789abcdefghij"}


def trace(definition: RemoteSpec, given: str = "four", phase: str = "build") -> Trace:
    return asyncio.run(ask(definition, given, phase))  # type: ignore[arg-type]


def test_what_was_sent_what_came_back_and_what_was_found() -> None:
    """For the phase that is asked for."""
    with misbehaving(
        lambda question: Reply(body=length_vectors(question).body[:-1] + b', "usage": {"token_count": 3}}')
    ) as service:
        told = trace(remote(service.url, headers=HEADERS), phase="search")
        assert (told.method, told.url, told.status, told.problem) == ("POST", service.url, 200, None)
        assert json.loads(told.body) == {"input": "four", "input_type": "query"}
        assert told.found == [[4.0, 1.0]]
        assert json.loads(told.answer)["usage"] == {"token_count": 3}
        (outputs,) = told.outputs
        assert outputs.dense is not None
        assert outputs.dense.tolist() == [4.0, 1.0]
        assert outputs.used_tokens == 3
        assert 0 <= told.latency_ms < 2000
        assert service.asked[0].headers["authorization"] == HEADERS["Authorization"]


def test_headers_are_masked_and_an_echo_is_cleaned() -> None:
    """As the vendor's document shows them; what is no secret is shown."""

    def echo(question: Question) -> Reply:
        return Reply(404, json.dumps({"message": f"no {question.headers['authorization']}"}).encode())

    with misbehaving(echo) as service:
        told = trace(remote(service.url, headers=HEADERS))
        assert told.headers == {
            "content-type": "application/json",
            "accept": "application/json",
            "authorization": "Bearer OS-v0********6vvs",
            "token": "********",
            "x-long": "01234********ghij",
        }
        assert told.status == 404
        assert json.loads(told.answer) == {"message": "no ***"}
        assert told.problem == f"The remote service 127.0.0.1:{service.port} answers with status 404: no ***."
        assert "abcdefgh" not in repr(told)


def test_what_was_found_holds_no_secret() -> None:
    """Given a service that puts the credentials where its vector should be."""

    def echo(question: Question) -> Reply:
        return vectors({"a": ["x " + question.headers["authorization"]]})

    with misbehaving(echo) as service:
        told = trace(remote(service.url, headers=HEADERS))
        assert told.found == [{"a": ["x ***"]}]
        assert "abcdefghij" not in repr(told)


def test_what_was_found_is_shown_though_it_is_no_vector() -> None:
    """With the reason."""
    with misbehaving(lambda question: Reply(body=b'{"result": {"embeddings": [{"embedding": "AACA"}]}}')) as service:
        told = trace(remote(service.url))
        assert told.found == ["AACA"]
        assert told.outputs == ()
        assert "gives no list of numbers" in (told.problem or "")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"body": "{"}, "The template is no JSON"),
        ({"response": "x"}, "The JSONPath cannot be read"),
        ({"private": False}, "which is not public"),
        ({"timeout_s": 0.2}, "did not answer within 0.2 s"),
        ({"url": "http://127.0.0.1:1/"}, "cannot be reached"),
        ({"url": "http://no-such-host.invalid/"}, "has a name that leads to no address"),
    ],
)
def test_it_never_raises(given: dict[str, object], sentence: str) -> None:
    """Neither for the definition nor for the service; it asks once."""
    with misbehaving(lambda question: NEVER) as service:
        told = trace(remote(str(given.pop("url", service.url)), **given))
        assert sentence in (told.problem or "")
        assert (told.status, told.answer, told.found, told.outputs) == (0, "", (), ())
        assert len(service.asked) <= 1


def test_an_answer_is_cut() -> None:
    """To what can be looked at; all of it is read all the same."""
    body = b'{"result": {"embeddings": [{"embedding": [1, 2]}]}, "more": "' + b"x" * 50_000 + b'"}'
    with misbehaving(lambda question: Reply(body=body)) as service:
        told = trace(remote(service.url))
        assert len(told.answer) == 20_000
        assert told.problem is None


def test_a_task_is_waited_for() -> None:
    """The answer shown is its last."""

    def platform(question: Question) -> Reply:
        done = {"status": "SUCCESS", "data": {"content": "A cat."}}
        result = {"task_id": "1", **(done if question.method == "GET" else {"status": "PENDING"})}
        return Reply(body=json.dumps({"result": result}).encode())

    with misbehaving(platform) as service:
        told = trace(remote(service.url, "image_analyze", response="$.result.data.content"))
        assert told.outputs[0].content == "A cat."
        assert "SUCCESS" in told.answer


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        ("OS-v0123456786vvs", "********"),
        ("OS-v01234567896vvs", "OS-v0********6vvs"),
        ("Bearer x", "Bearer ********"),
        ("a long phrase of words", "********"),
        ("", "********"),
    ],
)
def test_masks(secret: str, masked: str) -> None:
    """The ends of a long secret, nothing of a short one; a scheme, but no other word before it."""
    assert mask(secret) == masked
