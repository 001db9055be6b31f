"""API keys and deployments made beside running servers: two processes that share one database."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run
from tests.postgres import Postgres
from tests.server import Server, refusal, serving

from .errors import openai_refusal, vendor_refusal
from .exchange import Answer, get, post, send

WITHIN_S = 1.0
CONFIG = """
[[model]]
name = "m"
source = "fake:8"
aliases = ["alias"]

[[model]]
name = "other"
source = "fake:8"

[[deployment]]
id = "declared"
model = "m"
workspace = "shop"
token = "a-declared-token"
"""
BODY = {"input": "hi"}
Cli = Callable[..., list[Any]]
Pair = tuple[Server, Server, Cli]


def embed(server: Server, key: str | None = None, workspace: str = "shop", model: str = "m") -> Answer:
    return post(server, f"/v3/openapi/workspaces/{workspace}/text-embedding/{model}", BODY, key=key)


def until(server: Server, ask: Callable[[], Answer], status: int) -> float:
    """Ask until the status is this; returns the seconds since the call."""
    begun_s = time.monotonic()
    while ask().status != status:
        assert time.monotonic() - begun_s < 5, server.tail()
        time.sleep(0.02)
    return time.monotonic() - begun_s


@pytest.fixture(scope="module", params=["file", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two servers, at first without any key, and the command on their database: SQLite's default file, which is not
    there at first, or PostgreSQL.
    """
    home = tmp_path_factory.mktemp("home")
    env = {"XDG_DATA_HOME": str(home)}
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        env["EMBEDWAY_DATABASE_URL"] = postgres.new_database()

    def cli(*arguments: str) -> list[Any]:
        ended = run(*arguments, "--json", env=env)
        assert ended.status == 0, ended
        return ended.rows()

    for name in ("one", "two"):
        (home / name).mkdir()
    with serving(home / "one", config=CONFIG, env=env) as one, serving(home / "two", config=CONFIG, env=env) as two:
        yield one, two, cli


@pytest.fixture(scope="module")
def first(pair: Pair) -> str:
    """The first key, after which both servers are closed."""
    one, two, cli = pair
    assert embed(one).status == embed(two).status == 200
    key: str = cli("keys", "create", "--note", "first")[-1]["key"]
    for server in (one, two):
        seconds = until(server, lambda server=server: embed(server), 401)
        assert seconds < 2 * WITHIN_S, "the very first key may have to wait for the database's library"
        assert until(server, lambda server=server: embed(server, key), 200) < 2 * WITHIN_S
    return key


def test_the_first_key_closes_running_servers(pair: Pair, first: str) -> None:
    """Within a second or two; every dialect says what to send."""
    assert (
        "Authorization: Bearer" in openai_refusal(post(pair[0], "/v1/embeddings", {"model": "m", **BODY}), 401).message
    )
    assert post(pair[1], "/v1/embeddings", {"model": "m", **BODY}, key=first).status == 200


def test_a_revoked_key_is_refused_everywhere_within_a_second(pair: Pair, first: str) -> None:
    """It was good in both processes a moment before."""
    one, two, cli = pair
    made = cli("keys", "create")[-1]
    for server in (one, two):
        until(server, lambda server=server: embed(server, made["key"]), 200)
    revoked_s = time.monotonic()
    cli("keys", "revoke", made["id"])
    for server in (one, two):
        until(server, lambda server=server: embed(server, made["key"]), 401)
    assert time.monotonic() - revoked_s < 2 * WITHIN_S
    assert vendor_refusal(embed(one, made["key"]), 401).message == "The API key is revoked."


def test_disabled_and_enabled(pair: Pair, first: str) -> None:
    """A key that is switched off says so, and comes back."""
    one, _, cli = pair
    made = cli("keys", "create")[-1]
    until(one, lambda: embed(one, made["key"]), 200)
    assert cli("keys", "disable", made["id"])[-1]["state"] == "disabled"
    until(one, lambda: embed(one, made["key"]), 401)
    assert "disabled" in vendor_refusal(embed(one, made["key"]), 401).message
    cli("keys", "enable", made["id"])
    until(one, lambda: embed(one, made["key"]), 200)


def test_rotation_with_an_overlap(pair: Pair, first: str) -> None:
    """Both keys are good until the old one ends; the new one reaches as far."""
    one, _, cli = pair
    old = cli("keys", "create", "--workspace", "shop")[-1]
    new = cli("keys", "rotate", old["id"], "--overlap", "2s")[-1]
    until(one, lambda: embed(one, new["key"]), 200)
    assert embed(one, old["key"]).status == 200
    until(one, lambda: embed(one, old["key"]), 401)
    assert "expired" in vendor_refusal(embed(one, old["key"]), 401).message
    assert embed(one, new["key"]).status == 200
    assert embed(one, new["key"], "elsewhere").status == 403


def test_a_key_of_a_workspace_stays_there(pair: Pair, first: str) -> None:
    """Paths of another are refused; where a path names none, its own is meant; deployments count."""
    one, _, cli = pair
    made = cli("keys", "create", "--workspace", "shop")[-1]
    until(one, lambda: embed(one, made["key"]), 200)
    refused = vendor_refusal(embed(one, made["key"], "elsewhere"), 403)
    assert refused.code == "NoPermission"
    assert "elsewhere" in refused.message
    assert post(one, "/v1/embeddings", {"model": "m", **BODY}, key=made["key"]).status == 200
    predict, token = "/v3/openapi/deployments/declared/predict", {"Token": "a-declared-token"}
    assert post(one, predict, BODY, key=made["key"], headers=token).status == 200
    other = cli("keys", "create", "--workspace", "elsewhere")[-1]
    until(one, lambda: embed(one, other["key"], "elsewhere"), 200)
    vendor_refusal(post(one, predict, BODY, key=other["key"], headers=token), 403)


def test_a_key_for_models_and_actions(pair: Pair, first: str) -> None:
    """It sees and calls those models only, by any of their names that fit, and does those things only."""
    one, _, cli = pair
    made = cli("keys", "create", "--model", "ot*", "--action", "searchplat:GetText*", "--action", "*:*Models")[-1]
    until(one, lambda: embed(one, made["key"], model="other"), 200)
    assert "may not use" in vendor_refusal(embed(one, made["key"], model="m"), 403).message
    vendor_refusal(embed(one, made["key"], model="alias"), 403)
    refused = openai_refusal(post(one, "/v1/embeddings", {"model": "other", **BODY}, key=made["key"]), 403)
    assert "not for searchplat:" in refused.message
    assert [row["id"] for row in get(one, "/v1/models", key=made["key"]).json()["data"]] == ["other"]
    by_alias = cli("keys", "create", "--model", "alias")[-1]
    until(one, lambda: embed(one, by_alias["key"], model="alias"), 200)
    vendor_refusal(embed(one, by_alias["key"], model="m"), 403)


def test_keys_are_listed_masked_with_their_last_use(pair: Pair, first: str) -> None:
    """Neither the list nor the log has a key; its last use is known within seconds."""
    one, two, cli = pair
    made = cli("keys", "create", "--note", "watched", "--expires-in", "90d")[-1]
    until(one, lambda: embed(one, made["key"]), 200)
    until_s = time.monotonic() + 5
    while True:
        row = next(row for row in cli("keys", "list") if row["id"] == made["id"])
        if row["last_used"] or time.monotonic() > until_s:
            break
        time.sleep(0.1)
    assert row["last_used"]
    assert row["key"] == f"{made['key'][:5]}********{made['key'][-4:]}"
    assert (row["kind"], row["state"], row["note"]) == ("API key", "active", "watched")
    for text in (json.dumps(cli("keys", "list")), one.output(), two.output()):
        assert made["key"] not in text


def test_an_admin_key_manages(pair: Pair, first: str) -> None:
    """A plain key may not; an admin key of one workspace manages that one, within its actions."""
    one, _, cli = pair
    path = "/openapi/platform/workspaces"
    assert get(one, path, key=first).status == 403
    admin = cli("keys", "create", "--admin")[-1]["key"]
    until(one, lambda: get(one, path, key=admin), 200)
    bounded = cli("keys", "create", "--admin", "--workspace", "shop", "--action", "searchplat:Get*")[-1]["key"]
    until(one, lambda: get(one, f"{path}/shop", key=bounded), 200)
    assert get(one, path, key=bounded).status == 403
    assert get(one, f"{path}/default", key=bounded).status == 403
    assert send(one, "POST", f"{path}/shop/credentials", {}, key=bounded).status == 403
    made = send(one, "POST", f"{path}/shop/credentials", {"type": "api-token"}, key=admin)
    token = made.json()["result"]["token"]
    assert made.headers["x-acs-request-id"] == made.json()["requestId"]
    assert re.fullmatch(r"OS-\w{40}", token)
    assert embed(one, token).status == 200, "where it was made it holds at once"
    assert embed(one, token, "elsewhere").status == 403
    assert send(one, "DELETE", f"{path}/shop/credentials/{token}", key=admin).status == 200
    assert embed(one, token).status == 401


def test_a_stored_deployment(pair: Pair, first: str) -> None:
    """Made by the command, it answers in both processes; ceased and resumed it stops and starts in both."""
    one, two, cli = pair
    made = cli("deployments", "create", "ours", "--model", "m", "--workspace", "shop")[-1]
    path, token = "/v3/openapi/deployments/ours/predict", {"Token": made["token"]}

    def predict(server: Server, **more: Any) -> Answer:
        return post(server, path, BODY, key=first, **{"headers": token, **more})

    for server in (one, two):
        assert until(server, lambda server=server: predict(server), 200) < 2 * WITHIN_S
    vendor_refusal(predict(one, headers={"Token": "another-token"}), 401)
    vendor_refusal(predict(one, headers={}), 401)
    cli("deployments", "cease", "ours", "--workspace", "shop")
    for server in (one, two):
        until(server, lambda server=server: predict(server), 400)
    refused = vendor_refusal(predict(one), 400)
    assert (refused.code, "ceased" in refused.message) == ("ServiceIdNotExist", True)
    vendor_refusal(predict(one, headers={}), 401)
    cli("deployments", "resume", "ours", "--workspace", "shop")
    until(two, lambda: predict(two), 200)
    cli("deployments", "remove", "ours", "--workspace", "shop")
    until(two, lambda: predict(two), 400)


def test_the_audit_names_who_and_in_which_request(pair: Pair, first: str) -> None:
    """For what came over the API and for what the command did."""
    one, _, cli = pair
    row = cli("keys", "create", "--admin", "--note", "audited")[-1]
    path = "/openapi/platform/workspaces"
    until(one, lambda: get(one, path, key=row["key"]), 200)
    answer = send(one, "POST", path, {"name": "audited"}, key=row["key"])
    assert answer.status == 200
    event = cli("audit", "--subject", "workspace/audited", "--since", "1h")[-1]
    assert (event["who"], event["action"]) == (row["id"], "CreateWorkspace")
    assert event["request_id"] == answer.json()["requestId"]
    made = cli("audit", "--subject", f"api-key/{row['id']}")[-1]
    assert (made["who"].split(":")[0], made["action"]) == ("cli", "CreateApiKey")
    assert row["key"] not in json.dumps(made)


def test_what_is_about_everyone_is_not_for_a_bounded_key(tmp_path: Path) -> None:
    """Protected metrics tell of all workspaces and models; the API's description is for any key, and asks for one."""
    env = {"XDG_DATA_HOME": str(tmp_path)}

    def key(*arguments: str) -> str:
        made: str = run("keys", "create", *arguments, "--json", env=env).rows()[-1]["key"]
        return made

    whole, shop, one = key(), key("--workspace", "shop"), key("--model", "m")
    with serving(tmp_path, "--protect-metrics", config=CONFIG, env=env) as server:
        assert [get(server, "/metrics", key=each).status for each in (whole, shop, one, None)] == [200, 403, 403, 401]
        assert [get(server, "/openapi.json", key=each).status for each in (shop, None)] == [200, 401]
        assert get(server, "/openapi.json", key=shop).json()["security"]


def test_a_server_whose_keys_cannot_be_read_stops(tmp_path: Path) -> None:
    """A database of a newer version: nobody can tell whether there are keys. With a key of its own it goes on."""
    env = {"XDG_DATA_HOME": str(tmp_path)}
    run("keys", "list", env=env)
    with contextlib.closing(sqlite3.connect(tmp_path / "embedway" / "embedway.db")) as database:
        database.execute("UPDATE embedway_revision SET version_num = '9999'")
        database.commit()
    said = refusal(tmp_path, "--model", "m=fake:8", "--port", "0", env=env)
    assert "9999" in said
    assert "whether there are API keys" in said
    with serving(tmp_path, "--api-key", "OS-own", config=CONFIG, env=env) as server:
        assert embed(server, "OS-own").status == 200
        assert embed(server, "OS-other").status == 503, "it may be one of those that nobody can read"
