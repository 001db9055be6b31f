"""Whatever comes back, an item gets its outcome: nothing else is raised, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedway.backends.remote_answer import Setback, find, parse, read, share
from embedway.backends.remote_path import compile_path
from embedway.backends.remote_service import _read_pause
from embedway.backends.trace import Trace
from embedway.backends.trace import ask as trace
from embedway.errors import EmbedwayError
from embedway.types import RemoteKind

from .services import Misbehaving, Reply, ask, asking, misbehaving, remote

KINDS: tuple[RemoteKind, ...] = ("text_embedding", "text_sparse_embedding", "image_embedding", "image_analyze")
PATHS = ("$", "$.a", "$[*]", "$.a[*]", "$..a", "$..*", "$[?@.a > 1]", "$[-1:]")
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
keys = st.sampled_from(["a", "token_id", "weight", "indices", "values", "usage", "token_count", "7", "007", "result"])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
heads = st.sampled_from(
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 307 X\r\ncontent-length: 0\r\nlocation: ",
        b"HTTP/1.1 503 X\r\ncontent-length: 0\r\nretry-after: ",
        b"HTTP/1.1 404 X\r\ncontent-encoding: gzip\r\n\r\n",
    ]
)


@settings(max_examples=50)
@given(values, st.sampled_from(KINDS), st.sampled_from(PATHS), st.integers(1, 3), st.integers(0, 3))
def test_any_json(value: object, kind: RemoteKind, path: str, count: int, dimensions: int) -> None:
    """Is read as that many outputs, or is a setback."""
    try:
        parsed = parse(json.dumps(value).encode())
        outputs = read(kind, dimensions, find(compile_path(path), parsed, count), count)
        shares = share(parsed, [1] * count)
    except Setback as setback:
        complaint = setback.cause
    else:
        assert len(outputs) == len(shares) == count
        complaint = "answer"
    assert complaint == "answer"


@given(st.binary(max_size=30))
def test_any_bytes(body: bytes) -> None:
    """Are JSON or a setback."""
    try:
        wanted = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(Setback, match="no JSON"):
            parse(body)
    else:
        assert parse(body) == wanted


@given(
    st.text(max_size=20)
    | st.sampled_from(["Fri, 31 Dec 1999 23:59:59 GMT", "9" * 400, "-1", "1.5", "Mon, 99 Jan 0000"])
)
def test_any_time_to_come_back(told: str) -> None:
    """Is a number of seconds, or none."""
    seconds = _read_pause(told)
    assert seconds is None or seconds >= 0


def test_any_answer_on_the_wire() -> None:
    """Given heads that begin well and go on with anything: an error, at once, and the next answer is a good one."""
    state: list[Reply] = []

    with asking(lambda question: state.pop(), attempts=1, timeout_s=1.0) as (backend, _):

        @settings(max_examples=60)
        @given(heads, st.binary(max_size=60))
        def goes_on(head: bytes, rest: bytes) -> None:
            state[:] = [Reply(pieces=(head + rest,), closed=True)] * 6
            if backend._passes:
                backend._passes._breaker.succeed()
            (outcome,) = ask(backend, "text")
            assert isinstance(outcome, EmbedwayError)

        goes_on()


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", [b"[" * 900 + b"]" * 900, b'{"error":' * 900 + b"1" + b"}" * 900])
def test_deep_answers(status: int, body: bytes) -> None:
    """As deep as JSON is read: they are looked at, shown, and complained of."""
    with asking(lambda question: Reply(status, body), response="$..x") as (backend, _):
        assert isinstance(ask(backend, "text")[0], EmbedwayError)
    for path in ("$", "$..*"):
        with misbehaving(lambda question: Reply(status, body)) as service:
            told = told_of(service, path)
            assert told.problem
            orjson.dumps(told.found)


def told_of(service: Misbehaving, path: str) -> Trace:
    return asyncio.run(trace(remote(service.url, response=path), "text", "build"))
