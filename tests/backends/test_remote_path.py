"""A JSONPath costs what an answer's size allows, and no more, whoever wrote either."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise

import jsonpath_rfc9535
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.backends import remote_path
from embedway.backends.remote_answer import MOST_BYTES, Setback, find, most_bytes
from embedway.backends.remote_path import compile_path
from embedway.backends.trace import ask
from embedway.errors import InvalidInput

from .services import Reply, misbehaving, remote

PATHS = ("$", "$.a", "$..a", "$..*", "$..[0]", "$.a[?@.b == 1].a", "$[?@.a]", "$[0, 0, -1:]", "$..[?@ > 1]", "$[*][*]")
values = st.recursive(
    st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=12,
)


@given(values, st.sampled_from(PATHS))
def test_it_finds_what_the_library_finds(value: object, path: str) -> None:
    """In the same order."""
    assert find(compile_path(path), value, 10_000) == list(jsonpath_rfc9535.find(path, value).values())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$..*..*", "more than one '..'"),
        ("$" + ".a" * 33, "32 segments"),
        ("$" + "[?@.a]" * 5, "4 filters"),
        ("$[?count($..*) > 3]", "more than one place"),
        ("$[?@.a && !($[*])]", "more than one place"),
        ("$[?@[?@.a]]", "more than one place"),
    ],
)
def test_paths_that_multiply_an_answer_are_refused(path: str, said: str) -> None:
    """When they are registered."""
    with pytest.raises(InvalidInput, match=said):
        compile_path(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$[*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*][*,*].a", [[[[[[[[[[[0] * 9] * 9] * 9]]]]]]]]),
        ("$.a[?$.a == $.b].x", {"a": [1.5] * 20_000, "b": [1.5] * 20_000}),
        ("$..a", [[]] * 200_000),
        ("$..a", json.loads("[" * 200 + "]" * 200)),
    ],
)
def test_looking_ends_though_nothing_is_found(monkeypatch: pytest.MonkeyPatch, path: str, value: object) -> None:
    """By the number of places or by the time."""
    monkeypatch.setattr(remote_path, "MOST_STEPS", 50_000)
    monkeypatch.setattr(remote_path, "MOST_S", 0.2)
    started_s = time.monotonic()
    with pytest.raises(Setback, match="cannot be applied"):
        find(compile_path(path), value, 1)
    assert time.monotonic() - started_s < 2


def test_no_more_is_found_than_one_too_many() -> None:
    """Of however many there are: the rest is not even looked at."""
    assert find(compile_path("$[*]"), list(range(3_000_000)), 2) == [0, 1, 2]


def test_how_long_an_answer_may_be() -> None:
    """A vector's numbers take 64 bytes at most; one that is not known to be shorter may have 65,536."""
    assert most_bytes(1024, 1) == 2**20 + 2**16
    assert most_bytes(1024, 16) == 17 * 2**20
    assert most_bytes(0, 1) == 5 * 2**20
    assert most_bytes(0, 16) == MOST_BYTES


@pytest.mark.parametrize(("size", "said"), [(1_000_000, "gives more than 1 results"), (2_200_000, "more than 4 MiB")])
def test_a_big_answer_does_not_hold_up_the_loop(size: int, said: str) -> None:
    """Given one question of a probe, others are served meanwhile; what no vector needs is not even read."""
    body = b"[" + b",".join([b"0"] * size) + b"]"

    async def scenario(url: str) -> tuple[str, list[float]]:
        asking = asyncio.create_task(ask(remote(url, response="$[*]", dimensions=65_536), "text", "build"))
        ticks = [time.monotonic()]
        while not asking.done():
            await asyncio.sleep(0.005)
            ticks.append(time.monotonic())
        return (await asking).problem or "", ticks

    with misbehaving(lambda question: Reply(body=body)) as service:
        problem, ticks = asyncio.run(scenario(service.url))
    assert said in problem
    assert max(after - before for before, after in pairwise(ticks)) < 0.5


def test_no_answer_is_judged_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a definition whose path is slow on this answer."""
    monkeypatch.setattr(remote_path, "MOST_S", 0.5)
    body = json.dumps({"a": [1.5] * 40_000, "b": [1.5] * 40_000}).encode()

    async def scenario(url: str) -> tuple[str, int]:
        definition = remote(url, response="$.a[?$.a == $.b && $.a == 1]", dimensions=65_536)
        asking, ticks = asyncio.create_task(ask(definition, "text", "build")), 0
        while not asking.done():
            await asyncio.sleep(0.005)
            ticks += 1
        return (await asking).problem or "", ticks

    with misbehaving(lambda question: Reply(body=body)) as service:
        problem, ticks = asyncio.run(scenario(service.url))
    assert "cannot be applied" in problem
    assert ticks > 10
