"""The registry when processes die, databases stop, and several servers share one; and where secrets are not."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.services import Misbehaving, Question, Reply, length_vectors, misbehaving
from tests.cli.command import run
from tests.postgres import Postgres
from tests.server import Server, serving
from tests.wire.exchange import Answer, get, post
from tests.wire.registry import ADMIN, INSTANCE, REGISTRY, SECRET, call, create, definition
from tests.wire.registry import get as shown

from .running import running

WITHIN_S = 2.0
"""The promise is a second; a machine that is busy gets two."""


def eventually(true: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait until it is true."""
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def embeds(server: Server, model: str) -> Answer:
    return post(server, "/v1/embeddings", {"model": model, "input": "four"}, key=ADMIN)


@pytest.fixture(scope="module")
def service() -> Iterator[Misbehaving]:
    with misbehaving() as one:
        yield one


def test_two_servers_on_one_postgresql(postgres: Postgres, service: Misbehaving, tmp_path: Path) -> None:
    """Each serves within a second what the other registers, changes, forbids and removes; of creates at the same time
    one wins. With the database stopped both go on serving, the registry says so; with it back all is as before.
    """
    env = {"EMBEDWAY_DATABASE_URL": postgres.new_database(), "EMBEDWAY_MASTER_KEY": "of-both"}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        serving(tmp_path / "one", config=REGISTRY, env=env) as one,
        serving(tmp_path / "two", config=REGISTRY, env=env) as two,
    ):
        create(one, "shared", definition(service.url))
        assert embeds(one, "shared").status == 200
        eventually(lambda: embeds(two, "shared").status == 200)
        assert service.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
        assert shown(two, "shared") == shown(one, "shared")
        assert call(two, "PUT", "/shared", {"status": "forbidden"}).status == 200
        eventually(lambda: embeds(one, "shared").status == 403)
        assert call(one, "PUT", "/shared", {"status": "ok"}).status == 200
        eventually(lambda: embeds(two, "shared").status == 200)
        _race(one, two, definition(service.url))

        postgres.stop()
        try:
            for server in (one, two):
                assert embeds(server, "shared").status == 200
                content = definition(service.url)
                for refusal in (call(server, "GET"), call(server, "POST", body={"name": "x", "content": content})):
                    assert (refusal.status, refusal.json()["code"]) == (503, "StoreUnavailable")
                assert get(server, "/ready").status == 200
                eventually(lambda server=server: b"embedway_store_up 0.0" in get(server, "/metrics").body)  # type: ignore[misc]
        finally:
            postgres.start()
        eventually(lambda: call(one, "GET", "/shared").status == 200, 10)
        assert call(one, "DELETE", "/shared").status == 200
        assert embeds(one, "shared").status == 404
        eventually(lambda: embeds(two, "shared").status == 404, 10)
        eventually(lambda: b"embedway_store_up 1.0" in get(two, "/metrics").body)


def _race(one: Server, two: Server, content: Any) -> None:
    """Ask both for the same name at the same moment."""
    found: list[int] = []
    gate = threading.Barrier(4)

    def ask(server: Server) -> None:
        gate.wait()
        found.append(call(server, "POST", body={"name": "raced", "content": content}).status)

    threads = [threading.Thread(target=ask, args=(server,)) for server in (one, two, one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 409, 409, 409]


def test_kill_amid_creates(service: Misbehaving, tmp_path: Path) -> None:
    """What was acknowledged before `kill -9` is there after the restart, whole and served; nothing is there by half."""
    acknowledged: list[str] = []

    def register(server: Server, first: int) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(first, 10_000, 4):
                name = f"m{number}"
                if call(server, "POST", body={"name": name, "content": definition(service.url)}).status == 200:
                    acknowledged.append(name)

    env = {"XDG_DATA_HOME": str(tmp_path)}
    with running(tmp_path, config=REGISTRY, env=env) as server:
        threads = [threading.Thread(target=register, args=(server, first)) for first in range(4)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(acknowledged) >= 24, 30)
        os.kill(server.process.pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        server.process.wait()
    with running(tmp_path, config=REGISTRY, env=env) as server:
        assert call(server, "GET").status == 200
        total = call(server, "GET", "?pageSize=1").json()["totalCount"]
        rows = [
            row
            for page in range(1, total // 100 + 2)
            for row in call(server, "GET", f"?pageSize=100&pageNumber={page}").json()["result"]
        ]
        assert {row["name"] for row in rows} >= set(acknowledged)
        assert all(row["content"]["request"]["header"]["Authorization"].endswith("********6vvs") for row in rows)
        eventually(lambda: embeds(server, acknowledged[-1]).status == 200)
        assert service.asked[-1].headers["authorization"] == f"Bearer {SECRET}"


def test_a_status_follows_what_the_model_does(tmp_path: Path) -> None:
    """A background probe finds out within its interval, both ways; traffic goes on meanwhile; a forbidden model stays
    forbidden.
    """
    broken = threading.Event()

    def behave(question: Question) -> Reply:
        if broken.is_set() and question.json()["input"] != ["four"]:
            return Reply(status=400, body=b'{"message": "no"}')
        return length_vectors(question)

    config = REGISTRY.replace("probe_interval_s = 3600", "probe_interval_s = 0.3")
    with misbehaving(behave) as service, serving(tmp_path, config=config) as server:
        create(server, "watched", definition(service.url))
        create(server, "off", definition(service.url))
        assert call(server, "PUT", "/off", {"status": "forbidden"}).status == 200
        updated = shown(server, "watched")["updateTime"]
        broken.set()
        eventually(lambda: shown(server, "watched")["status"] == "error", 5)
        assert "400" in shown(server, "watched")["statusReason"]
        assert embeds(server, "watched").status == 200
        broken.clear()
        eventually(lambda: shown(server, "watched")["status"] == "ok", 5)
        assert shown(server, "off")["status"] == "forbidden"
        assert shown(server, "watched")["updateTime"] == updated


def test_no_secret_is_anywhere(tmp_path: Path) -> None:
    """Not in a log, a reply, a metric or a file, whatever happens; a service that repeats it tells nobody."""
    parts = {"header": f"Bearer {SECRET}", "parameter": f"{SECRET}-as-parameter", "query": f"{SECRET}-in-the-query"}

    def behave(question: Question) -> Reply:
        said = json.dumps({"message": f"{question.path} {question.headers} {question.body.decode()}"})
        return (
            Reply(status=400, body=said.encode()) if question.json()["input"] == ["fail"] else length_vectors(question)
        )

    with misbehaving(behave) as service, serving(tmp_path, "--log-level", "debug", config=REGISTRY) as server:
        content = definition(f"{service.url}?api_key={parts['query']}")
        content["request"]["parameters"] = {
            phase: {"input_type": "x", "api_key": parts["parameter"]} for phase in ("build", "search")
        }
        content["request"]["requestBody"] = '{"input": ["%{input}"], "key": "%{api_key}"}'
        answers = [create(server, "secret", content)]
        assert all(value in str(service.asked[-1]) for value in parts.values())
        for given in ("fail", "hello"):
            answers.append(call(server, "POST", "/secret/actions/debug", {"input": given}))
            answers.append(post(server, "/v1/embeddings", {"model": "secret", "input": given}, key=ADMIN))
        answers.append(call(server, "POST", body={"name": "secret", "content": content}))
        answers.append(call(server, "PUT", "/secret", {"content": content | {"method": "DELETE"}}))
        answers.append(call(server, "PUT", "/secret", {"content": {"url": "http://127.0.0.1:9/"}}))
        answers.append(call(server, "PUT", "/secret", {"content": content | {"dimension": 3}}))
        answers += [call(server, "GET", "/secret"), call(server, "GET"), get(server, "/metrics"), get(server, "/ready")]
        answers.append(get(server, "/v1/models", key=ADMIN))
        log = server.output()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"SQLite format 3" in one for one in files)
    for text in [log.encode(), *files, *(answer.body for answer in answers)]:
        assert SECRET.encode() not in text, text[:2000]


def test_the_command_beside_a_server(service: Misbehaving, tmp_path: Path) -> None:
    """What `embedway models` and `embedway instances` do is seen by a running server within a second, even if it had no
    store before.
    """
    env = {"XDG_DATA_HOME": str(tmp_path), "EMBEDWAY_ALLOW_PRIVATE_URLS": "1"}
    (tmp_path / "definition.json").write_text(json.dumps(definition(service.url)), encoding="utf-8")
    with serving(tmp_path, config=REGISTRY, env=env) as server:
        assert run("instances", "add", "made", env=env).status == 0
        added = run("models", "add", "by-hand", "--file", tmp_path / "definition.json", env=env)
        assert (added.status, "it answers (2 dimensions" in added.out) == (0, True), added
        eventually(lambda: embeds(server, "by-hand").status == 200, 3)
        assert call(server, "GET", instance="made").json()["totalCount"] == 0
        assert run("models", "remove", "by-hand", env=env).status == 0
        eventually(lambda: embeds(server, "by-hand").status == 404)
        assert run("instances", "remove", "made", env=env).status == 0
        assert call(server, "GET", instance="made").status == 404
        assert call(server, "GET", instance=INSTANCE).status == 200


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"XDG_DATA_HOME": "/dev/null/nowhere"}, "cannot be made"),
        ({"EMBEDWAY_DATABASE_URL": "mysql://host/database"}, "of a kind that is not known"),
    ],
)
def test_without_any_store(env: dict[str, str], said: str, tmp_path: Path) -> None:
    """The server serves what is configured, the registry says 503, and the log says once why."""
    with serving(tmp_path, config=REGISTRY, env=env) as server:
        content = definition("http://127.0.0.1:9/")
        for refusal in (call(server, "GET"), call(server, "POST", body={"name": "x", "content": content})):
            assert (refusal.status, refusal.json()["code"]) == (503, "StoreUnavailable")
        assert embeds(server, "local").status == 200
        assert b"embedway_store_up 0.0" in get(server, "/metrics").body
        assert server.output().count(said) == 1
