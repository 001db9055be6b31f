"""The headers of an answer: its request id, and where its time went."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .exchange import get, post, send
from .routes import DATA, EMBEDDING, OPEN, TASKS, name

TEXT = "I believe the meaning of life is"
TIMES = ["x-total-time", "x-tokenization-time", "x-queue-time", "x-inference-time"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.mark.parametrize("route", [*DATA, *TASKS], ids=name)
def test_request_id_is_echoed(stand_in: Server, route: Any) -> None:
    """`x-request-id` comes back as it was sent; without one, the server makes one of its own."""
    method, path, body, headers = route
    mine = send(stand_in, method, path, body, headers={**headers, "X-Request-ID": "trace-1234"})
    assert mine.headers["x-request-id"] == "trace-1234"
    own = [send(stand_in, method, path, body, headers=headers).headers["x-request-id"] for _ in range(2)]
    assert all(own)
    assert own[0] != own[1]


def test_request_id_of_errors(plain: Server) -> None:
    """Errors carry it too, those of unknown routes included."""
    headers = {"X-Request-ID": "trace-1234"}
    for path in ("/v1/embeddings", "/nothing"):
        assert get(plain, path, headers=headers).headers["x-request-id"] == "trace-1234"


@pytest.mark.parametrize("value", ["a b\tc", "x" * 5000, "\u00e9\u00e8", "<script>"])
def test_odd_request_id_does_no_harm(plain: Server, value: str) -> None:
    """Whatever a caller calls a request, it is answered, and an id of sane length comes back."""
    answer = post(plain, "/v1/embeddings", {"model": MODEL, "input": "hi"}, headers={"X-Request-ID": value})
    assert answer.status == 200
    assert 0 < len(answer.headers["x-request-id"]) <= 256


@pytest.mark.parametrize("route", EMBEDDING, ids=name)
def test_timing(stand_in: Server, route: Any) -> None:
    """Answers with vectors carry TEI's headers: what was computed, and the milliseconds of each phase."""
    method, path, body, headers = route
    answer = send(stand_in, method, path, {**body, "input": [TEXT, "hi"]}, headers=headers)
    assert answer.headers["x-compute-type"]
    assert answer.headers["x-compute-characters"] == str(len(TEXT) + 2)
    assert answer.headers["x-compute-tokens"] == "12"
    assert answer.headers["x-compute-time"].isdigit()
    spent = {header: answer.headers[header] for header in TIMES}
    assert all(value.isdigit() for value in spent.values()), spent


@pytest.mark.parametrize("route", [*DATA, *TASKS], ids=name)
@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_204_or_redirects(stand_in: Server, route: Any, method: str) -> None:
    """No method of any route is answered without a body or with a redirect: the vendor's client stumbles over both."""
    _, path, body, headers = route
    answer = send(stand_in, method, path, body if method in ("POST", "PUT", "PATCH") else None, headers=headers)
    assert answer.status == 200 or 400 <= answer.status < 500
    if method != "HEAD":
        assert answer.json()


@pytest.mark.parametrize("path", OPEN)
def test_head_of_operations(plain: Server, path: str) -> None:
    """Load balancers may ask with HEAD."""
    answer = send(plain, "HEAD", path)
    assert answer.status == 200
    assert answer.body == b""
