"""What a service does wrong becomes one sentence for its callers, in time, without secrets."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from embedway.errors import Overloaded, RemoteFailed

from .services import MANY, NEVER, Question, Reply, ask, asking, length_vectors, lengths, misbehaving, said, vectors

GOOD = length_vectors
SECRET = "OS-v0secretsecret6vvs"
HEADERS = {"Authorization": f"Bearer {SECRET}\n", "X-Plain": "second secret"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedway.backends.remote_retry.FIRST_PAUSE_S", 0.02)


def text(body: str, status: int = 200, **headers: str) -> Reply:
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, body.encode(), given)


def drip(pieces: int, pause_s: float) -> Reply:
    """A head at once, and a body that never comes to its end in time."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    return Reply(pieces=(head, *[b" "] * pieces), pause_s=pause_s)


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (text("{"), "gives an answer that is no JSON"),
        (text(""), "gives an answer that is no JSON"),
        (Reply(body=b'{"result": "\xff"}'), "gives an answer that is no JSON"),
        (text('{"result": {"embeddings": [{"embedding": [NaN, 1]}]}}'), "no JSON"),
        (text('{"result": {"embeddings": [{"embedding": [1e999, 1]}]}}'), "no JSON"),
        (text("[" * 100_000), "no JSON"),
        (text("{}"), "gives 0 results for 1 inputs"),
        (text("null"), "gives 0 results for 1 inputs"),
        (vectors([1.0, 2.0], [1.0, 2.0]), "gives more than 1 results for 1 inputs"),
        (vectors([1.0]), "gives a vector of 1 numbers instead of 2"),
        (vectors([1.0, 2.0, 3.0]), "gives a vector of 3 numbers instead of 2"),
        (vectors([1.0, 1e39]), "a number that is too large"),
        (vectors([1.0, 10**400]), "no JSON"),
        (vectors([1.0, None]), "gives no list of numbers"),
        (vectors([1.0, "2"]), "gives no list of numbers"),
        (vectors([1.0, True]), "gives no list of numbers"),
        (vectors([[1.0, 2.0]]), "gives no list of numbers"),
        (vectors("AACAPwAAAEA="), "gives no list of numbers"),
        (vectors({"0": 1.0}), "gives no list of numbers"),
        (text("{}", content_encoding="gzip"), "gives a compressed answer"),
        (text("nothing here", 404), "answers with status 404: nothing here"),
        (text('{"error": {"message": "no\\n such  model"}}', 404), "answers with status 404: no such model"),
        (text('{"detail": [{"msg": "field required"}]}', 405), "answers with status 405: field required"),
        (text('{"code": 7}', 400), "answers with status 400"),
        (text("<html>long page", 404, content_type="text/html"), r"answers with status 404\.$"),
        (text("\x1b[31mred\x00", 404), r"answers with status 404: \[31mred\.$"),
        (text("", 401), r"refuses the credentials \(status 401\)"),
        (text("", 403), r"refuses the credentials \(status 403\)"),
        (text("", 302, location="/embed"), "redirects with status 302, which is not followed"),
        (text("", 307), "redirects with status 307, which is not followed"),
        (text("", 307, location="ftp://x/"), "is not asked: it redirects to a URL that must begin with http"),
        (text("", 308, location="/embed"), "is not asked: it leads through more than 3 redirects"),
        (text("x" * 5000, 404), f"answers with status 404: {'x' * 300}"),
    ],
)
def test_an_answer_that_is_none(reply: Reply, sentence: str) -> None:
    """Given once, the item fails with the host and the reason; nothing is asked again."""
    with asking(lambda question: reply) as (backend, service):
        (outcome,) = ask(backend, "text")
        assert isinstance(outcome, RemoteFailed)
        pattern = rf"^The remote service 127\.0\.0\.1:{service.port} .*{sentence}"
        assert re.match(pattern, outcome.message), outcome.message
        assert outcome.message.endswith(".")
        assert len(service.asked) == (4 if "3 redirects" in sentence else 1)


def test_an_answer_without_end_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more bytes than an answer may have, told or not, the connection is left."""
    monkeypatch.setattr("embedway.backends.remote_service.most_bytes", lambda dimensions, count: 2**10)
    endless = Reply(pieces=(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *[b"x" * 600] * 50), pause_s=0.05)
    for reply in (endless, text(" " * 2000)):
        with asking(lambda question, reply=reply: reply) as (backend, _):  # type: ignore[misc]
            started_s = time.monotonic()
            (outcome,) = ask(backend, "text")
            assert "gives an answer of more than 0.000977 MiB" in said(outcome)
            assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("reply", [NEVER, drip(1000, 0.02), Reply(pieces=(b"HTTP/1.1 200 OK\r\n",), pause_s=0.01)])
def test_a_service_that_is_too_slow(reply: Reply) -> None:
    """Whether its head, its body, or all of it never comes: each attempt ends at its time."""

    def slow(question: Question) -> Reply:
        return reply if len(reply.pieces) != 1 else Reply(pieces=(*reply.pieces, b""), pause_s=5)

    with asking(slow, timeout_s=0.2, attempts=2) as (backend, service):
        started_s = time.monotonic()
        (outcome,) = ask(backend, "text")
        assert "did not answer within 0.2 s" in said(outcome)
        assert 0.4 <= time.monotonic() - started_s < 3
        assert len(service.asked) == 2


def test_a_connection_that_breaks_is_made_again() -> None:
    """Given a reset, half an answer, or something that is no HTTP, the next attempt has the answer."""
    replies = [
        Reply(reset=True),
        Reply(pieces=(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf",), closed=True),
        Reply(pieces=(b"SSH-2.0-OpenSSH\r\n\r\n",), closed=True),
    ]
    again = list(replies)
    with asking(lambda question: replies.pop() if replies else GOOD(question), attempts=4) as (backend, service):
        assert lengths(ask(backend, "four")) == [4.0]
        assert len(service.asked) == 4
    for reply in again:
        with asking(lambda question, reply=reply: reply, attempts=1) as (backend, service):  # type: ignore[misc]
            assert "closed the connection, or gave no HTTP" in said(ask(backend, "four")[0])


def test_nobody_listens() -> None:
    """Said within the pauses between its attempts."""
    with asking(url="http://127.0.0.1:1/embed") as (backend, _):
        started_s = time.monotonic()
        assert said(ask(backend, "text")[0]) == "The remote service 127.0.0.1:1 cannot be reached."
        assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_what_passes_is_tried_again(status: int) -> None:
    """Twice it fails, then it answers."""
    replies = [Reply(status)] * 2
    with asking(lambda question: replies.pop() if replies else GOOD(question)) as (backend, service):
        assert lengths(ask(backend, "four")) == [4.0]
        assert len(service.asked) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_is_believed_when_it_says_when_to_come_back(status: int) -> None:
    """Not a moment before."""
    replies = [Reply(status, headers=(("Retry-After", "1"),))]
    with asking(lambda question: replies.pop() if replies else GOOD(question)) as (backend, _):
        started_s = time.monotonic()
        assert lengths(ask(backend, "four")) == [4.0]
        assert 1.0 <= time.monotonic() - started_s < 2


def test_a_pause_beyond_the_time_there_is_is_not_waited_for() -> None:
    """The caller is told to come back, and when."""
    with asking(lambda question: text('{"message": "slow down"}', 429, Retry_After="30")) as (backend, service):
        started_s = time.monotonic()
        (outcome,) = ask(backend, "text")
        assert isinstance(outcome, Overloaded)
        assert outcome.retry_after_s == 30
        assert "answers with status 429: slow down" in outcome.message
        assert time.monotonic() - started_s < 2
        assert len(service.asked) == 1


def test_a_service_that_is_down_fails_all_at_once() -> None:
    """Not one item after another: no more is asked than side by side, times the attempts."""
    with asking(lambda question: Reply(503), attempts=2) as (backend, service):
        outcomes = ask(backend, *["text"] * 40)
        assert {said(one) for one in outcomes} == {
            f"The remote service 127.0.0.1:{service.port} answers with status 503."
        }
        assert len(service.asked) <= 16


def test_refused_credentials_fail_all_at_once() -> None:
    """No item would fare better."""
    with asking(lambda question: Reply(401), body=MANY) as (backend, service):
        outcomes = ask(backend, *["text"] * 40)
        assert all("refuses the credentials" in said(one) for one in outcomes)
        assert len(service.asked) <= 3


def test_what_was_answered_before_is_kept() -> None:
    """Given a service that goes down in the middle."""
    with asking(
        lambda question: GOOD(question) if len(service.asked) <= 4 else Reply(502, pause_s=0.3), attempts=1
    ) as (
        backend,
        service,
    ):
        outcomes = ask(backend, *["four"] * 30)
        good = [one for one in outcomes if not isinstance(one, RemoteFailed)]
        assert lengths(good) == [4.0] * 4


@pytest.mark.parametrize("reply", [Reply(500), text('{"result": NaN}'), vectors([1.0, 2.0])])
def test_an_item_that_breaks_the_service_fails_alone(reply: Reply) -> None:
    """Given a service that fails on a batch for what one text holds: the others have their answers."""

    def fragile(question: Question) -> Reply:
        return reply if "bad" in question.json()["input"] else GOOD(question)

    def alone(question: Question) -> Reply:
        return Reply(500) if question.json()["input"] == ["bad"] else fragile(question)

    with asking(alone, body=MANY, attempts=2) as (backend, service):
        outcomes = ask(backend, *["good"] * 5, "bad", *["good"] * 10)
        assert isinstance(outcomes[5], RemoteFailed)
        assert lengths([*outcomes[:5], *outcomes[6:]]) == [4.0] * 15
        assert len(service.asked) < 12


def test_a_service_that_breaks_on_everything_is_not_asked_for_each() -> None:
    """After a few halves it is clear."""
    with asking(lambda question: Reply(500), body=MANY, attempts=2) as (backend, service):
        assert all("status 500" in said(one) for one in ask(backend, *["text"] * 16))
        assert len(service.asked) <= 8


def test_a_pass_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many items wait: what has no answer by then fails, what has one is kept."""
    monkeypatch.setattr("embedway.backends.remote_pass.SLACK_S", 0.1)

    def slow(question: Question) -> Reply:
        answer = GOOD(question)
        return Reply(body=answer.body, pause_s=0.15)

    with asking(slow, timeout_s=0.6, attempts=1) as (backend, _):
        started_s = time.monotonic()
        outcomes = ask(backend, *["four"] * 64)
        assert time.monotonic() - started_s < 1.1
        assert lengths(outcomes[:8]) == [4.0] * 8
        assert "did not answer in time" in said(outcomes[-1])


def test_secrets_are_never_repeated() -> None:
    """Given a service that sends back the headers it got, in whatever way."""

    def echo(question: Question) -> Reply:
        told = f"{question.headers['authorization']} and {question.headers['x-plain']} {'long ' * 100}"
        return text(json.dumps({"message": told}), 404)

    with asking(echo, headers=HEADERS) as (backend, service):
        message = said(ask(backend, "text")[0])
        assert "secret" not in message
        assert ": *** and *** long" in message
        assert service.asked[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_name_that_leads_to_a_private_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing about the name says so, and however often it is tried."""

    async def resolve(host: object, port: int) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("93.184.216.34", "127.0.0.1")]

    with misbehaving() as service:
        url = f"http://innocent.example:{service.port}/embed"
        with asking(url=url, private=False) as (backend, _):
            monkeypatch.setattr("embedway.egress.address.look_up", resolve)
            assert said(ask(backend, "text")[0]) == (
                f"The remote service innocent.example:{service.port} is not asked: its address is not public."
            )
        assert service.asked == []


def test_kept_connections() -> None:
    """Ten calls go over one connection; one that the service has closed meanwhile is replaced without a failure."""
    with asking(attempts=1) as (backend, service):
        for _ in range(10):
            assert lengths(ask(backend, "four")) == [4.0]
        assert {question.peer for question in service.asked} == {1}
    with asking(lambda question: Reply(body=GOOD(question).body, closed=True), attempts=1) as (backend, service):
        for _ in range(10):
            assert lengths(ask(backend, "four")) == [4.0]
        assert {question.peer for question in service.asked} == set(range(1, 11))


def test_a_kept_connection_that_breaks_is_replaced() -> None:
    """Given a service that closes it just as the next request is on its way, which is no failed attempt."""

    def once(question: Question) -> Reply:
        before = [one.peer for one in service.asked].count(question.peer)
        return GOOD(question) if before == 1 else Reply(pieces=(b"",), closed=True)

    with asking(once, attempts=1) as (backend, service):
        for number in range(1, 5):
            assert lengths(ask(backend, "four")) == [4.0]
            assert max(question.peer for question in service.asked) == number


def test_eight_requests_at_once() -> None:
    """And no more."""
    with asking(lambda question: Reply(body=GOOD(question).body, pause_s=0.05)) as (backend, service):
        assert lengths(ask(backend, *["four"] * 32)) == [4.0] * 32
        assert service.most_at_once == 8
