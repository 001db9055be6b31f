"""Any definition to the model registry: never a 5xx, every refusal in its words, and what was taken can be read."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.running import running
from tests.server import Server
from tests.wire.exchange import Answer
from tests.wire.registry import ADMIN, REGISTRY, create, definition

from .test_bodies import NASTY
from .values import ANY_BYTES, ANY_JSON, encode
from .wire import Wire, escape

MODELS = "/openapi/ha3/instances/default/models"
HEADERS = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
NOWHERE = "http://127.0.0.1:9/"
FORM = ["requestId", "code", "message"]
bounded = partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("registry"), config=REGISTRY) as server:
        create(server, "m", definition(NOWHERE))
        yield server
        assert server.ready()
    assert "Traceback" not in server.output(), server.tail()


@pytest.fixture(scope="module")
def wire(registry: Server) -> Iterator[Wire]:
    connected = Wire(registry)
    yield connected
    connected.close()


def paths(content: Mapping[str, Any], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place of a definition."""
    for key, value in content.items():
        yield (*way, key)
        if isinstance(value, dict):
            yield from paths(value, (*way, key))


PLACES = list(paths(definition(NOWHERE)))


@st.composite
def nearly_definitions(draw: st.DrawFn) -> dict[str, Any]:
    """A good definition with one or two of its values replaced by any others."""
    content = copy.deepcopy(definition(NOWHERE))
    for *way, last in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=2)):
        inner = content
        for key in way:
            inner = inner.get(key, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[last] = draw(ANY_JSON)
    return content


def check(answer: Answer) -> int:
    assert answer.status < 500, (answer.status, answer.body[:500])
    body = answer.json()
    assert list(body) == FORM if answer.status != 200 else "requestId" in body, body
    return answer.status


def readable(wire: Wire) -> None:
    """Everything that is stored can be listed."""
    assert check(wire.send(f"{MODELS}?pageSize=100", b"", HEADERS, "GET")) == 200


@pytest.mark.parametrize("name", list(NASTY))
def test_nasty_bodies(wire: Wire, name: str) -> None:
    """Of what breaks parsers nothing is taken."""
    for method, path in (("POST", MODELS), ("PUT", f"{MODELS}/m"), ("POST", f"{MODELS}/m/actions/debug")):
        status = check(wire.send(path, NASTY[name], HEADERS, method))
        assert status in (400, 413, 415) or (
            method == "POST" and path.endswith("debug") and b'"input":"' in NASTY[name]
        )


@bounded(max_examples=40)
@given(value=ANY_BYTES)
def test_any_bytes(wire: Wire, value: bytes) -> None:
    """As a body of each action that has one."""
    for method, path in (("POST", MODELS), ("PUT", f"{MODELS}/m"), ("POST", f"{MODELS}/m/actions/debug")):
        check(wire.send(path, value, HEADERS, method))


@bounded(max_examples=80)
@given(content=nearly_definitions())
def test_nearly_definitions(wire: Wire, content: dict[str, Any]) -> None:
    """They are refused, or kept and can be read."""
    check(wire.send(MODELS, encode({"name": "new", "content": content}), HEADERS))
    check(wire.send(f"{MODELS}/m", encode({"content": content}), HEADERS, "PUT"))
    check(wire.send(f"{MODELS}/m", b"", HEADERS, "GET"))
    readable(wire)
    check(wire.send(f"{MODELS}/new", b"", HEADERS, "DELETE"))


@bounded(max_examples=60)
@given(
    name=st.text(max_size=140),
    instance=st.text(max_size=20),
    query=st.dictionaries(
        st.sampled_from(["name", "type", "pageNumber", "pageSize", "dryRun", "isOnline"]), st.text(max_size=10)
    ),
)
def test_any_names(wire: Wire, name: str, instance: str, query: dict[str, str]) -> None:
    """In the path and the query, whatever a client may escape."""
    behind = "?" + urlencode({key: value.encode("utf-8", "surrogatepass") for key, value in query.items()})
    path = f"/openapi/ha3/instances/{escape(instance)}/models/{escape(name)}{behind}"
    for method in ("GET", "DELETE"):
        check(wire.send(path, b"", HEADERS, method))
    check(wire.send(MODELS + behind, b"", HEADERS, "GET"))
    check(wire.send(MODELS, encode({"name": name, "content": definition(NOWHERE)}), HEADERS))
    check(wire.send(f"{MODELS}/{escape(name)}", b"", HEADERS, "DELETE"))
