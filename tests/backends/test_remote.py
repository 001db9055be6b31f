"""The remote backend against a service that does as it is told, well or badly."""

from __future__ import annotations

import json

import pytest

from embedway.errors import RemoteFailed
from embedway.types import Text

from .services import MANY, Question, Reply, ask, asking, length_vectors, lengths


def test_a_text_is_asked_for_by_template_and_phase() -> None:
    """Documents with the build parameters, queries with those for search; the type is JSON."""
    with asking() as (backend, service):
        assert lengths(ask(backend, "four", Text("sixsix", "query"))) == [4.0, 6.0]
        bodies = sorted((question.json() for question in service.asked), key=lambda body: str(body["input"]))
        assert bodies == [
            {"input": "four", "input_type": "document"},
            {"input": "sixsix", "input_type": "query"},
        ]
        assert {question.method for question in service.asked} == {"POST"}
        assert service.asked[0].headers["content-type"] == "application/json"


def test_a_list_takes_sixteen_at_most() -> None:
    """And each phase has requests of its own; results come back in the order of the items."""
    with asking(body=MANY) as (backend, service):
        texts = [Text("x" * n, "query" if n % 3 == 0 else "document") for n in range(1, 51)]
        assert lengths(ask(backend, *texts)) == [float(n) for n in range(1, 51)]
        assert sorted(len(question.json()["input"]) for question in service.asked) == [2, 16, 16, 16]


@pytest.mark.parametrize(("status", "most"), [(400, 4), (413, 8), (422, 1)])
def test_a_service_that_takes_fewer_is_given_fewer(status: int, most: int) -> None:
    """The size that worked is remembered."""

    def strict(question: Question) -> Reply:
        return length_vectors(question) if len(question.json()["input"]) <= most else Reply(status)

    with asking(strict, body=MANY) as (backend, service):
        texts = ["x" * n for n in range(1, 17)]
        assert lengths(ask(backend, *texts)) == [float(n) for n in range(1, 17)]
        service.asked.clear()
        assert lengths(ask(backend, *texts)) == [float(n) for n in range(1, 17)]
        assert [len(question.json()["input"]) for question in service.asked] == [most] * (16 // most)


def test_one_guilty_item_fails_alone() -> None:
    """The service refuses it with others and alone; it says why, and the others have their answers."""

    def strict(question: Question) -> Reply:
        if "bad" in question.json()["input"]:
            return Reply(400, json.dumps({"message": "a bad word"}).encode())
        return length_vectors(question)

    with asking(strict, body=MANY) as (backend, service):
        outcomes = ask(backend, *["good"] * 10, "bad", *["good"] * 5)
        guilty = outcomes[10]
        assert isinstance(guilty, RemoteFailed)
        assert guilty.message == f"The remote service 127.0.0.1:{service.port} answers with status 400: a bad word."
        assert lengths([*outcomes[:10], *outcomes[11:]]) == [4.0] * 15
        service.asked.clear()
        ask(backend, *["good"] * 16)
        assert len(service.asked) == 1


def test_two_guilty_items_fail_alone() -> None:
    """One in each half of a request."""

    def strict(question: Question) -> Reply:
        return Reply(422) if "bad" in question.json()["input"] else length_vectors(question)

    with asking(strict, body=MANY) as (backend, _):
        outcomes = ask(backend, "bad", *["good"] * 14, "bad")
        assert lengths(outcomes[1:15]) == [4.0] * 14
        assert isinstance(outcomes[0], RemoteFailed)
        assert isinstance(outcomes[15], RemoteFailed)
