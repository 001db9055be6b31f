"""Rows for every table, with values that are easily lost on the way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from embedway.store.audit import record
from embedway.store.schema import (
    access_key,
    api_key,
    deployment,
    instance,
    job,
    job_log,
    metadata,
    model,
    nonce,
    training,
    usage,
    workspace,
)
from embedway.store.vault import Vault
from embedway.store.versions import bump

Rows = dict[str, list[dict[str, Any]]]


def fill(connection: Connection, vault: Vault) -> None:
    """Some of everything: text of many scripts, numbers at their ends, nothing at all, and secrets."""
    times = {"created_s": 1e9 + 0.1, "updated_s": 1.7976931348623157e308}
    connection.execute(insert(instance), [{"id": "ha-cn-x", "created_s": 5e-324}, {"id": "ha-cn-y", "created_s": -0.0}])
    full = {"namespace": "ha-cn-x", "name": "größe 模型 \U0001f600", "kind": "remote", "status": "true", **times}
    none = {"dimension": None, "latency_ms": None, "probed_s": None, "reason": "", "secrets": ""}
    connection.execute(
        insert(model),
        [
            full | none | {"content": '{"nul": "\\u0000", "lines": "a\\nb"}', "secrets": vault.seal('{"/a": "OS-v0"}')},
            full
            | none
            | {"name": "b", "content": "{}", "dimension": 2**31 - 1, "latency_ms": 0.1, "reason": "a\n\u2028b"},
        ],
    )
    keys = {"permissions": "[]", "note": "", "created_s": 1.0, "expires_s": None, "last_used_s": None}
    connection.execute(
        insert(access_key),
        [
            keys | {"id": "AK1", "secret": vault.seal("s1"), "disabled": True},
            keys | {"id": "AK2", "secret": vault.seal("s2"), "disabled": False, "expires_s": 2.5},
        ],
    )
    connection.execute(insert(nonce).values(value="n", expires_s=1.0))
    states = {"status": "running", "progress": 0.5, "attempts": 1, "max_attempts": 3, "run_after_s": 0.0}
    connection.execute(insert(job).values(id="j", kind="k", namespace="default", payload="{}", **states, **times))
    connection.execute(insert(job_log), [{"job_id": "j", "at_s": 1.0, "line": line} for line in ("a\nb", "größe")])
    counts = {"requests": 2**53 + 1, "errors": 0, "tokens": 2**62}
    connection.execute(insert(usage).values(day="2026-11-21", key="k", namespace="default", model="", **counts))
    seconds = {"created_s": 1.5, "updated_s": 2.5}
    connection.execute(insert(workspace).values(name="größe", facts='{"type": "standard"}', **seconds))
    token = {"token_sha256": "0" * 64, "token": vault.seal("t")}
    kind = {"workspace": "größe", "model": "m", "task": "embedding", "running": True, "edition": 2**31 - 1}
    connection.execute(insert(deployment).values(id="d", **kind, **token, **seconds))
    learned = {"parameters": '{"seed": "1"}', "data": '["größe"]\n', "edition": 2**31 - 1, "trained": None}
    connection.execute(insert(training).values(workspace="größe", name="t", **learned, **seconds))
    known = {"prefix": "OS-ab", "digest": "1" * 64, "masked": "OS-ab********6vvs", "admin": False, "scope": "{}"}
    connection.execute(insert(api_key).values(id="k", enabled=True, created_s=1.5, **known))
    for number in range(3):
        record(connection, "AK1", "CreateModel", f"m{number}", detail={"number": number})
        bump(connection, "models")
    bump(connection, "keys")


def read(connection: Connection) -> Rows:
    """Every row of every table, in the order of their keys."""
    tables = metadata.sorted_tables
    ordered = {table.name: select(table).order_by(*table.primary_key.columns) for table in tables}
    return {name: [dict(row._mapping) for row in connection.execute(rows)] for name, rows in ordered.items()}
