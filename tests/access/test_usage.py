"""What was used, and that it is not lost."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.access.usage import MAX_PLACES, UsageLog, read_usage
from embedway.errors import StoreUnavailable
from embedway.store.database import Database
from embedway.store.vault import Vault
from tests.robustness.running import running
from tests.wire.exchange import get, post

VAULT = Vault((), Path("unused"))
names = st.sampled_from(["a", "b", "c"])
requests = st.lists(st.tuples(names, names, st.lists(st.tuples(names, st.integers(0, 99)), max_size=3), st.booleans()))


def sums(database: Database, by: tuple[str, ...] = ("key", "namespace", "model")) -> Counter[tuple[str, ...]]:
    """Requests, errors and tokens of each place, as one counter."""
    found: Counter[tuple[str, ...]] = Counter()
    for row in database.run_now(lambda connection: read_usage(connection, by=by), reads=True):
        place = tuple(getattr(row, name) for name in by)
        for what in ("requests", "errors", "tokens"):
            found[(*place, what)] += getattr(row, what)
    return +found


def test_processes_add_up(database_url: str) -> None:
    """Two logs on one database, writing at the same time: every request is counted once."""

    async def scenario() -> None:
        databases = [Database(database_url) for _ in range(2)]
        logs = [UsageLog() for _ in databases]
        for log, database in zip(logs, databases, strict=True):
            await log.open(database, VAULT)
        for number in range(200):
            for log in logs:
                log.add("key", f"space-{number % 3}", [("m", 5)], failed=number % 4 == 0)
            if number % 40 == 0:
                await asyncio.gather(*(log.flush() for log in logs))
        for log in logs:
            await log.close()
        found = sums(databases[0], ("key", "model"))
        assert found == {("key", "m", "requests"): 400, ("key", "m", "errors"): 100, ("key", "m", "tokens"): 2000}
        for database in databases:
            await database.stop()

    asyncio.run(scenario())


@given(requests)
def test_what_is_counted_is_what_was_used(given_requests: list[tuple[str, str, list[tuple[str, int]], bool]]) -> None:
    """Each request once, under the first model that answered it; each model's tokens under that model."""
    log, wanted = UsageLog(), Counter[tuple[str, ...]]()
    for key, namespace, used, failed in given_requests:
        log.add(key, namespace, used, failed)
        first = used[0][0] if used else ""
        wanted[key, namespace, first, "requests"] += 1
        wanted[key, namespace, first, "errors"] += failed
        for model, tokens in used:
            wanted[key, namespace, model, "tokens"] += tokens
    found: Counter[tuple[str, ...]] = Counter()
    for (_, *place), counts in log.counts.items():
        for what in ("requests", "errors", "tokens"):
            found[(*place, what)] += getattr(counts, what)
    assert +found == +wanted


def test_made_up_namespaces_do_not_fill_memory() -> None:
    """Beyond a bound they are counted together, and nothing is left out."""
    log = UsageLog()
    for number in range(MAX_PLACES + 500):
        log.add("key", f"made-up-{number}", [("m", 1)], failed=False)
    assert len(log.counts) <= MAX_PLACES + 1
    assert sum(counts.tokens for counts in log.counts.values()) == MAX_PLACES + 500


def test_counts_wait_for_a_database_that_is_away(tmp_path: Path) -> None:
    """A write that fails loses nothing: the next one brings it."""

    async def scenario() -> None:
        blocked = tmp_path / "blocked"
        blocked.write_text("a file where a folder should be")
        database = Database(f"sqlite:///{blocked / 'embedway.db'}")
        log = UsageLog()
        await log.open(database, VAULT)
        log.add("key", "default", [("m", 7)], failed=False)
        with pytest.raises(StoreUnavailable):
            await log.flush()
        blocked.unlink()
        await log.close()
        assert sums(database)["key", "default", "m", "tokens"] == 7
        await database.stop()

    asyncio.run(scenario())


def test_a_killed_server_loses_less_than_a_second(tmp_path: Path) -> None:
    """What was answered a second before `kill -9` is there: by command as a table, JSON and CSV, and by the API."""
    url = f"sqlite:///{tmp_path / 'usage.db'}"
    env = {"EMBEDWAY_DATABASE_URL": url, "EMBEDWAY_API_KEY": "used-key", "EMBEDWAY_ADMIN_KEY": "admin-key"}
    caller, admin = ({"headers": {"Authorization": f"Bearer {key}"}} for key in ("used-key", "admin-key"))
    path = "/openapi/platform/usage"
    with running(tmp_path, env=env) as server:
        for _ in range(3):
            assert post(server, "/v1/embeddings", {"model": "fake", "input": ["abc", "de"]}, **caller).status == 200
        assert post(server, "/v1/embeddings", {"model": "none", "input": "abc"}, **caller).status == 404
        answer = get(server, f"{path}?by=model", **admin)
        assert {row["model"]: row["tokens"] for row in answer.json()["result"]} == {"": 0, "fake": 15}
        assert get(server, path, **caller).status == 403
        assert get(server, f"{path}?by=colour", **admin).status == 400
        time.sleep(1)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
    rows = [json.loads(line) for line in show(url, "--json").splitlines()]
    assert {(row["model"], row["requests"], row["errors"], row["tokens"]) for row in rows} == {
        ("", 1, 1, 0),
        ("fake", 3, 0, 15),
    }
    assert all(row["key"].startswith("key:") and row["namespace"] == "default" for row in rows)
    (whole,) = csv.DictReader(show(url, "--csv", "--by", "day").splitlines())
    assert (whole["requests"], whole["errors"], whole["tokens"]) == ("4", "1", "15")
    assert show(url, "--by", "model").splitlines()[0].split() == ["model", "requests", "errors", "tokens"]
    assert show(url, "--since", "2999-01-01", "--json").strip() == ""


def show(url: str, *arguments: str) -> str:
    """What `embedway usage` prints."""
    command = [sys.executable, "-m", "embedway", "usage", "--database-url", url, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("namespace", ["a\0b", "x" * 8000, "a\nb"])
def test_any_namespace_can_be_counted(database_url: str, namespace: str) -> None:
    """A workspace that no table can hold is counted under its digest, and stops nobody's counts."""

    async def scenario() -> None:
        database, log = Database(database_url), UsageLog()
        await log.open(database, VAULT)
        log.add("key", namespace, [("m", 1)], failed=False)
        log.add("key", "default", [("m", 2)], failed=False)
        await log.flush()
        await log.close()
        assert sums(database, ("key",))["key", "tokens"] == 3
        await database.stop()

    asyncio.run(scenario())
