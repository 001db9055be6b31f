"""Two servers on one Redis: one limit for both; each alone while Redis is away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.redis import RedisServer, redis_running
from tests.server import Server, serving

from .exchange import Answer, get, post

CONFIG = """
[[model]]
name = "m"
source = "fake"

[[quota]]
tokens_per_minute = 100
"""
BODY = {"model": "m", "input": "12345 12345"}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def pair(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """One is told by a flag where Redis is, the other by the environment."""
    with (
        serving(tmp_path_factory.mktemp("one"), "--quota-url", redis.url, config=CONFIG) as one,
        serving(tmp_path_factory.mktemp("two"), config=CONFIG, env={"EMBEDWAY_QUOTA_URL": redis.url}) as two,
    ):
        yield [one, two]


def ask(server: Server) -> Answer:
    return post(server, "/v1/embeddings", BODY)


def left(server: Server) -> str | None:
    return ask(server).headers["x-ratelimit-remaining-tokens"]


def local(server: Server) -> bool:
    return "embedway_quota_local 1.0" in get(server, "/metrics").body.decode()


def test_one_limit_for_both_and_each_alone(pair: list[Server], redis: RedisServer) -> None:
    """What one counts the other sees; without Redis each has the whole limit, at once, and the metric says so; with it
    again they count together.
    """
    one, two = pair
    assert [left(one), left(two), left(one)] == ["90", "80", "70"]
    assert not local(one)
    redis.kill()
    assert [left(one), left(two), left(two)] == ["90", "90", "80"]
    assert local(one)
    assert local(two)
    begun_s = time.monotonic()
    while ask(one).status == 200:
        assert time.monotonic() - begun_s < 10
    redis.start()
    until_s = time.monotonic() + 20
    while local(one) or local(two):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    assert [left(two), left(one)] == ["90", "80"]
    while ask(one).status == 200:
        pass
    assert ask(two).status == 429


def test_a_redis_that_was_never_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The server serves, within its own limits."""
    with serving(tmp_path_factory.mktemp("alone"), "--quota-url", "redis://127.0.0.1:9/0", config=CONFIG) as server:
        assert left(server) == "90"
        assert local(server)
