"""Any body to any route: never a 5xx, and every refusal in the words of its dialect."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.running import metric
from tests.server import Server
from tests.wire.exchange import get

from .values import ANY_BYTES, ANY_JSON, GOOD, NEARLY_BODIES, NEARLY_RANKINGS, NEARLY_SERVICES, encode
from .wire import MANAGING, PATHS, RANKING, ROUTES, SERVICES, TOKEN, Wire, check, check_ranking

bounded = partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NASTY = {
    "nothing": b"",
    "spaces": b" \r\n\t ",
    "a-word": b"hello",
    "half": GOOD[:-1],
    "twice": GOOD * 2,
    "a-comment": b"/**/" + GOOD,
    "one-quote": GOOD.replace(b'"', b"'"),
    "nan": b'{"model":"fake","input":NaN}',
    "infinity": b'{"model":"fake","input":["a"],"dimensions":-Infinity,"dimension":-Infinity}',
    "nan-where-nobody-looks": b'{"model":"fake","input":["a"],"more":NaN}',
    "lone-surrogate": b'{"model":"fake","input":["\\ud800"]}',
    "lone-low-surrogate": b'{"model":"fake","input":["\\udc00 \\ud83d"]}',
    "lone-surrogate-in-a-name": b'{"model":"\\ud800","input":["a"],"\\udfff":1,"input_type":"\\ud800"}',
    "raw-surrogate": b'{"model":"fake","input":["\xed\xa0\x80"]}',
    "latin-1": b'{"model":"fake","input":["caf\xe9"]}',
    "overlong": b'{"model":"fake","input":["\xc0\xaf"]}',
    "raw-nul": b'{"model":"fake","input":["a\0b"]}',
    "raw-newline": b'{"model":"fake","input":["a\nb"]}',
    "bom": b"\xef\xbb\xbf" + GOOD,
    "utf-16": GOOD.decode().encode("utf-16"),
    "utf-32": GOOD.decode().encode("utf-32-be"),
    "deep-lists": b'{"model":"fake","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep-objects": b'{"model":"fake","input":' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
    "deep-where-nobody-looks": b'{"model":"fake","input":["a"],"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep-and-open": b"[" * 200_000,
    "huge-number": b'{"model":"fake","input":' + b"9" * 100_000 + b"}",
    "huge-exponent": b'{"model":"fake","input":["a"],"dimensions":1e999999999,"input_type":1e999999999}',
    "huge-integer": b'{"model":"fake","input":["a"],"dimensions":%b,"input_type":%b}' % (b"9" * 5000, b"9" * 5000),
    "long-name": b'{"model":"%b","input":["a"],"input_type":"%b"}' % (b"m" * 100_000, b"t" * 100_000),
    "many-keys": b'{"input":[],' + b",".join(b'"%d":1' % number for number in range(20_000)) + b"}",
    "many-texts": encode({"model": "fake", "input": ["a"] * 20_000}),
    "empty-texts": encode({"model": "fake", "input": [""]}),
    "token-ids": encode({"model": "fake", "input": [[1, 2, 3]]}),
    "a-list": b"[]",
    "null": b"null",
}
FINE = {
    "nul": b'{"model":"fake","input":["\\u0000"]}',
    "a-pair": b'{"model":"fake","input":["\\ud83d\\ude00"]}',
    "the-last-of-two-keys": b'{"model":"fake","input":"b","input":["a"],"input_type":"no","input_type":"query"}',
    "spaces-around": b" \n" + GOOD + b"\r\n\t ",
    "unknown-keys": b'{"model":"fake","input":["a"],"more":{"deep":[[[{"er":1e5}]]]},"\\u0000":null}',
    "blank-text": encode({"model": "fake", "input": [" ", "\n", "\u200b", "\u202e\u0301"]}),
    "escaped-slash": b'{"model":"f\\u0061ke","input":["\\/"]}',
}


def test_no_route_is_forgotten(fuzzed: Server) -> None:
    """The routes of these tests are all the POST routes that the server describes."""
    paths = get(fuzzed, "/openapi.json").json()["paths"]
    assert {path for path, row in paths.items() if "post" in row} == {*ROUTES, *RANKING, *SERVICES, *MANAGING}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", NASTY.values(), ids=list(NASTY))
def test_nasty(wire: Wire, path: str, body: bytes) -> None:
    """Each of these bodies is 400: understood as wrong, or not understood."""
    assert check(path, wire.send(path, body, TOKEN)) == 400


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", FINE.values(), ids=list(FINE))
def test_odd_but_fine(wire: Wire, path: str, body: bytes) -> None:
    """Each of these bodies is JSON with texts in it, however odd, and is served."""
    assert check(path, wire.send(path, body, TOKEN)) == 200


@bounded(max_examples=80)
@given(path=st.sampled_from(PATHS), value=ANY_JSON)
def test_any_json(wire: Wire, path: str, value: Any) -> None:
    """A JSON value of any kind is a body that some dialect refuses in its own words."""
    check(path, wire.send(path, encode(value), TOKEN))


@bounded(max_examples=60)
@given(path=st.sampled_from(PATHS), body=NEARLY_BODIES)
def test_nearly_right(wire: Wire, path: str, body: bytes) -> None:
    """The wire's own fields with right and wrong values in any mixture."""
    check(path, wire.send(path, body, TOKEN))


@bounded(max_examples=80)
@given(path=st.sampled_from(PATHS), body=ANY_BYTES)
def test_any_bytes(wire: Wire, path: str, body: bytes) -> None:
    """Bytes that are not JSON, or nearly, or in another encoding."""
    check(path, wire.send(path, body, TOKEN))


@pytest.mark.parametrize("path", RANKING)
@pytest.mark.parametrize("body", NASTY.values(), ids=list(NASTY))
def test_nasty_to_ranking(wire: Wire, path: str, body: bytes) -> None:
    """What is wrong for an embedding is wrong for these too; a name of any length is that of no model."""
    assert check_ranking(path, wire.send(path, body, {})) in (400, 404, 422)


@bounded(max_examples=80)
@given(path=st.sampled_from(RANKING), value=ANY_JSON)
def test_any_json_to_ranking(wire: Wire, path: str, value: Any) -> None:
    """A JSON value of any kind."""
    check_ranking(path, wire.send(path, encode(value), {}))


@bounded(max_examples=200)
@given(path=st.sampled_from(RANKING), body=NEARLY_RANKINGS)
def test_nearly_right_to_ranking(wire: Wire, path: str, body: bytes) -> None:
    """Fields of all the dialects that share the paths, with right and wrong values in any mixture."""
    check_ranking(path, wire.send(path, body, {}))


@pytest.mark.parametrize("path", SERVICES.values())
@pytest.mark.parametrize("body", NASTY.values(), ids=list(NASTY))
def test_nasty_to_services(wire: Wire, path: str, body: bytes) -> None:
    """What is wrong for an embedding is wrong for the platform's other services."""
    assert check(path, wire.send(path, body, {})) == 400


@bounded(max_examples=80)
@given(path=st.sampled_from(list(SERVICES.values())), value=ANY_JSON)
def test_any_json_to_services(wire: Wire, path: str, value: Any) -> None:
    """A JSON value of any kind."""
    check(path, wire.send(path, encode(value), {}))


@bounded(max_examples=200)
@given(path=st.sampled_from(list(SERVICES.values())), body=NEARLY_SERVICES)
def test_nearly_right_to_services(wire: Wire, path: str, body: bytes) -> None:
    """Fields of all of them, with right and wrong values in any mixture."""
    check(path, wire.send(path, body, {}))


def test_nothing_is_left(fuzzed: Server, wire: Wire) -> None:
    """After all that nothing is queued, nothing failed in the model, and nothing was counted as a 5xx."""
    assert metric(fuzzed, "embedway_queue_tokens") == 0
    assert metric(fuzzed, "embedway_failed_items_total") == 0
    assert metric(fuzzed, "embedway_worker_restarts_total") == 0
    for status in ("500", "503", "504"):
        assert metric(fuzzed, "embedway_requests_total", status=status) == 0
    check("/v1/embeddings", wire.send("/v1/embeddings", GOOD, {}))
