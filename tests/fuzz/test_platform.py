"""Anything to the platform's control plane: never a 5xx, every refusal in its words, and what was taken can be read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.running import running
from tests.server import Server
from tests.wire.exchange import Answer
from tests.wire.registry import ADMIN, REGISTRY

from .test_bodies import NASTY
from .values import ANY_BYTES, ANY_JSON, encode
from .wire import Wire, escape

WORKSPACES = "/openapi/platform/workspaces"
DEFAULT = f"{WORKSPACES}/default"
FUNCTIONS = f"{DEFAULT}/functions/deployment/instances"
HEADERS = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
FORM = ["requestId", "code", "message"]
BODIES = {
    ("POST", WORKSPACES): {"name": "made", "type": "standard", "chargeType": "POSTPAY", "quota": {"docSize": 1}},
    ("PUT", DEFAULT): {"description": "described"},
    ("POST", f"{DEFAULT}/credentials"): {"type": "api-token"},
    ("PUT", f"{DEFAULT}/credentials/nothing"): {"enabled": True},
    ("POST", FUNCTIONS): {
        "instanceName": "made",
        "modelType": "native",
        "createParameters": [{"name": "model", "value": "local"}, {"name": "token", "value": "a-token-of-my-own"}],
    },
    ("PUT", f"{FUNCTIONS}/m"): {"description": "described", "createParameters": [{"name": "model", "value": "local"}]},
}
bounded = partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("platform")
    with running(folder, config=REGISTRY, env={"XDG_DATA_HOME": str(folder)}) as server:
        yield server
        assert server.ready()
    assert "Traceback" not in server.output(), server.tail()


@pytest.fixture(scope="module")
def wire(managed: Server) -> Iterator[Wire]:
    connected = Wire(managed)
    made = {"instanceName": "m", "modelType": "native", "createParameters": [{"name": "model", "value": "local"}]}
    assert connected.send(FUNCTIONS, encode(made), HEADERS).status == 200
    yield connected
    connected.close()


def check(answer: Answer) -> int:
    assert answer.status < 500, (answer.status, answer.body[:500])
    body = answer.json()
    assert list(body) == FORM if answer.status != 200 else {"requestId", "RequestId"} & set(body), body
    return answer.status


def readable(wire: Wire) -> None:
    """Everything that is stored can be listed."""
    for path in (WORKSPACES, f"{DEFAULT}/credentials", f"{DEFAULT}/services", f"{FUNCTIONS}?output=detail&source=all"):
        assert check(wire.send(path, b"", HEADERS, "GET")) == 200


@st.composite
def nearly_bodies(draw: st.DrawFn) -> tuple[tuple[str, str], dict[str, Any]]:
    """A good body with one of its values replaced by any other."""
    where = draw(st.sampled_from(list(BODIES)))
    body = dict(BODIES[where])
    return where, body | {draw(st.sampled_from(list(body))): draw(ANY_JSON)}


@pytest.mark.parametrize("name", list(NASTY))
def test_nasty_bodies(wire: Wire, name: str) -> None:
    """Of what breaks parsers nothing is taken; a body that says nothing of a field leaves it as it is."""
    for method, path in BODIES:
        assert check(wire.send(path, NASTY[name], HEADERS, method)) in (200, 400, 404, 413, 415)


@bounded(max_examples=30)
@given(value=ANY_BYTES)
def test_any_bytes(wire: Wire, value: bytes) -> None:
    """As a body of each action that has one."""
    for method, path in BODIES:
        check(wire.send(path, value, HEADERS, method))


@bounded(max_examples=120)
@given(given_=nearly_bodies())
def test_nearly_bodies(wire: Wire, given_: tuple[tuple[str, str], dict[str, Any]]) -> None:
    """They are refused, or kept and can be read."""
    (method, path), body = given_
    check(wire.send(path, encode(body), HEADERS, method))
    readable(wire)
    check(wire.send(f"{FUNCTIONS}/made", b"", HEADERS, "DELETE"))


@bounded(max_examples=60)
@given(
    name=st.text(max_size=80),
    query=st.dictionaries(
        st.sampled_from(["name", "keyword", "pageNumber", "pageSize", "dryRun", "output", "source", "sortBy"]),
        st.text(max_size=10),
    ),
)
def test_any_names(wire: Wire, name: str, query: dict[str, str]) -> None:
    """In the path and the query, whatever a client may escape."""
    behind = "?" + urlencode({key: value.encode("utf-8", "surrogatepass") for key, value in query.items()})
    given_ = escape(name)
    for path in (f"{WORKSPACES}/{given_}", f"{DEFAULT}/credentials/{given_}", f"{FUNCTIONS}/{given_}"):
        for method in ("GET", "DELETE"):
            check(wire.send(path + behind, b"", HEADERS, method))
    check(wire.send(f"{DEFAULT}/functions/{given_}/instances{behind}", b"", HEADERS, "GET"))
    check(wire.send(f"{WORKSPACES}/{given_}/services{behind}", b"", HEADERS, "GET"))
    check(wire.send(f"{DEFAULT}/credentials{behind}", b"", HEADERS, "GET"))
    check(wire.send(WORKSPACES, encode({"name": name}), HEADERS))
    readable(wire)
