"""What the four kinds of remote models give."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.backends.remote_answer import read, share
from embedway.errors import InvalidInput
from embedway.types import Image, Output, Outputs, Text
from tests.tiny.pictures import PICTURES

from .services import MANY, Question, Reply, ask, asking, length_vectors, lengths, said, vectors

SPARSE: dict[str, Any] = {"kind": "text_sparse_embedding", "response": "$.found[*]"}
ASYNC = "/v3/openapi/workspaces/default/image-analyze/ops-image-analyze-vlm-001/async"
ANALYZE: dict[str, Any] = {
    "kind": "image_analyze",
    "body": '{"document": {"content": "%{input}", "file_name": "a.png"}}',
    "response": "$.result.data.content",
}


def found(*given: object) -> Reply:
    return Reply(body=json.dumps({"found": given}).encode())


def weigh(reply: Reply) -> Any:
    with asking(lambda question: reply, **SPARSE) as (backend, _):
        return ask(backend, Text("x", outputs=Output.SPARSE))[0]


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        ([{"token_id": 9, "weight": 0.5, "token": "x"}, {"token_id": 2, "weight": 1}], [1, 0]),
        ({"indices": [9, 2], "values": [0.5, 1.0]}, None),
        ({"9": 0.5, "2": 1}, None),
    ],
)
def test_weights_of_terms_in_three_forms(answer: object, order: list[int] | None) -> None:
    """By ascending id; a list of terms keeps the order of the text."""
    outcome = weigh(found(answer))
    assert isinstance(outcome, Outputs)
    assert outcome.sparse
    assert outcome.sparse.ids.tolist() == [2, 9]
    assert outcome.sparse.weights.tolist() == [1.0, 0.5]
    assert (outcome.sparse.ids.dtype, outcome.sparse.weights.dtype) == (np.int32, np.float32)
    assert (None if outcome.sparse.order is None else outcome.sparse.order.tolist()) == order


@pytest.mark.parametrize("answer", [[], {}, {"indices": [], "values": []}])
def test_a_text_without_terms(answer: object) -> None:
    """Has none."""
    outcome = weigh(found(answer))
    assert outcome.sparse.ids.shape == outcome.sparse.weights.shape == (0,)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([{"token_id": 1, "weight": 1.0}] * 2, "gives the weight of one term twice"),
        ([{"token_id": -1, "weight": 1.0}], "whose id is no whole number"),
        ([{"token_id": 2**31, "weight": 1.0}], "whose id is no whole number"),
        ([{"token_id": "1", "weight": 1.0}], "whose id is no whole number"),
        ([{"id": 1, "weight": 1.0}], "whose id is no whole number"),
        ([{"token_id": 1}], "gives no numbers as weights"),
        ([{"token_id": 1, "weight": 1e39}], "too large"),
        ({"indices": [1, 2], "values": [1.0]}, "of different number"),
        ({"word": 1.0}, "whose id is no whole number"),
        ([1.0, 2.0], "gives no weights of terms"),
        ("text", "gives no weights of terms"),
        (None, "gives no weights of terms"),
    ],
)
def test_what_is_no_weights_of_terms(answer: object, sentence: str) -> None:
    """Is said so."""
    assert sentence in said(weigh(found(answer)))


@given(
    st.lists(
        st.tuples(st.integers(0, 2**31 - 1), st.floats(width=32, allow_nan=False, allow_infinity=False)),
        unique_by=lambda pair: pair[0],
        max_size=20,
    )
)
def test_the_order_leads_back_to_the_text(terms: list[tuple[int, float]]) -> None:
    """Whatever the terms."""
    (one,) = read("text_sparse_embedding", 0, [[{"token_id": i, "weight": w} for i, w in terms]], 1)
    assert one.sparse
    assert one.sparse.order is not None
    assert one.sparse.ids.tolist() == sorted(i for i, _ in terms)
    assert [one.sparse.ids[place] for place in one.sparse.order] == [i for i, _ in terms]
    assert [one.sparse.weights[place] for place in one.sparse.order] == [w for _, w in terms]


def test_an_image_is_sent_in_base64() -> None:
    """Bare; a template may put a data URI's head before it. What is no image is not sent."""

    def check(question: Question) -> Reply:
        (uri,) = question.json()["input"]
        assert base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True) == PICTURES["wide"]
        return vectors([3.0, 4.0])

    with asking(check, kind="image_embedding", body='{"input": ["data:image/png;base64,%{input}"]}') as (backend, _):
        assert lengths(ask(backend, Image(PICTURES["wide"]), Image(PICTURES["wide"]))) == [3.0, 3.0]
        assert backend.prepare(Image(PICTURES["wide"])).cost == backend.facts.image_tokens
        for item, sentence in ((Text("a cat"), "reads images only"), (Image(b"a cat"), "not a PNG")):
            with pytest.raises(InvalidInput, match=sentence):
                backend.prepare(item)


def test_vectors_are_left_as_they_are() -> None:
    """Not of length 1, and whole numbers too."""
    with asking(lambda question: vectors([3, -0.5])) as (backend, _):
        (outcome,) = ask(backend, "x")
        assert isinstance(outcome, Outputs)
        assert outcome.dense is not None
        assert outcome.dense.tolist() == [3.0, -0.5]
        assert not backend.facts.normalized


@pytest.mark.parametrize("name", ["token_count", "total_tokens", "prompt_tokens", "input_tokens"])
def test_tokens_are_counted_by_the_service(name: str) -> None:
    """And shared out among the items of a request."""

    def count(question: Question) -> Reply:
        body = json.loads(length_vectors(question).body) | {"usage": {name: 17}}
        return Reply(body=json.dumps(body).encode())

    with asking(count, body=MANY) as (backend, _):
        outcomes = ask(backend, "x", "x" * 30, "x" * 30)
        used = [one.used_tokens for one in outcomes if isinstance(one, Outputs)]
        assert sum(one or 0 for one in used) == 17
        assert used[0] is not None
        assert used[0] < 4


@given(st.integers(0, 2**40), st.lists(st.integers(1, 40_000), min_size=1, max_size=16))
def test_shares_make_up_the_whole(total: int, costs: list[int]) -> None:
    """Exactly, none is negative, and none is off by more than one."""
    shares = share({"usage": {"token_count": total}}, costs)
    assert sum(one or 0 for one in shares) == total
    for one, cost in zip(shares, costs, strict=True):
        assert one is not None
        assert abs(one - total * cost / sum(costs)) < 1.001


@pytest.mark.parametrize("usage", [None, {}, [], {"token_count": "3"}, {"token_count": -1}, {"total_tokens": True}])
def test_without_a_count_there_is_none(usage: object) -> None:
    """The estimate is used then."""
    assert share({"usage": usage}, [1, 2]) == [None, None]
    assert share([], [1]) == [None]


def analyze(statuses: list[dict[str, Any]], **given: Any) -> tuple[Any, list[Question]]:
    """What comes of an image whose task has these results, one after another; the last stays."""

    def platform(question: Question) -> Reply:
        result = {"task_id": "t&1", "status": "PENDING"} if question.method == "POST" else statuses[0]
        if question.method == "GET" and len(statuses) > 1:
            statuses.pop(0)
        status = result.pop("http", 200) if isinstance(result, dict) else 200
        return Reply(status, json.dumps({"result": result, "usage": {"token_count": 40}}).encode())

    with asking(platform, headers={"Authorization": "Bearer s-e-c-r-e-t"}, **ANALYZE | given) as (backend, service):
        backend._definition.url = backend._definition.url.copy_with(path=ASYNC)
        return ask(backend, Image(PICTURES["wide"], outputs=Output.CONTENT))[0], service.asked


def test_a_task_is_waited_for() -> None:
    """By its id, beside the path that took it, with the same credentials; trouble in between passes."""
    outcome, asked = analyze(
        [{"status": "PENDING"}, {"http": 503}, {"status": "SUCCESS", "data": {"content": "A cat.", "page_num": 1}}]
    )
    assert isinstance(outcome, Outputs)
    assert (outcome.content, outcome.used_tokens) == ("A cat.", 40)
    assert [question.method for question in asked] == ["POST", "GET", "GET", "GET"]
    assert asked[1].path == ASYNC + "/task-status?task_id=t%261"
    assert {question.headers["authorization"] for question in asked} == {"Bearer s-e-c-r-e-t"}
    assert "content-type" not in asked[1].headers


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"status": "FAILED", "error": "no such s-e-c-r-e-t"}, "says that the task failed: no such ***."),
        ({"status": "CANCELLED"}, "says that the task failed."),
        ({"status": "SUCCESS", "data": {}}, "gives 0 results for 1 inputs"),
        ({"status": "SUCCESS", "data": {"content": 7}}, "gives no text where the JSONPath leads"),
        ({"http": 404}, "answers with status 404"),
    ],
)
def test_a_task_that_fails(status: dict[str, Any], sentence: str) -> None:
    """Is not begun again."""
    outcome, asked = analyze([status])
    assert sentence in said(outcome)
    assert [question.method for question in asked].count("POST") == 1


def test_a_task_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is left within the time that all attempts have."""
    monkeypatch.setattr("embedway.backends.remote_pass.SLACK_S", 0.3)
    started_s = time.monotonic()
    outcome, _ = analyze([{"status": "PENDING"}], timeout_s=0.2, attempts=2)
    assert "did not finish the task in time" in said(outcome)
    assert time.monotonic() - started_s < 1


def test_a_service_that_tells_at_once_is_not_asked_again() -> None:
    """Its answer is the content."""
    answer = Reply(body=json.dumps({"result": {"data": {"content": "A dog."}}}).encode())
    with asking(lambda question: answer, **ANALYZE) as (backend, service):
        (outcome,) = ask(backend, Image(PICTURES["wide"], outputs=Output.CONTENT))
        assert isinstance(outcome, Outputs)
        assert outcome.content == "A dog."
        assert len(service.asked) == 1
