"""The workspaces of the platform: rows, and the verbs that change them. `default` is always there.

A workspace is a namespace, as an instance is: what is registered in the instance of the same name, its callers see.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from embedway.errors import Conflict, InvalidInput, WorkspaceNotFound
from embedway.store.actor import Actor
from embedway.store.audit import record
from embedway.store.schema import deployment, model, training, workspace

MAX_NAME = 64
MAX_DESCRIPTION = 1000
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_DECLARE = text(
    "INSERT INTO workspace (name, description, facts, created_s, updated_s) "
    "VALUES (:name, :description, :facts, :created_s, :updated_s) ON CONFLICT (name) DO NOTHING"
)  # both databases take this form


@dataclass(frozen=True, slots=True)
class Workspace:
    """`facts` are what its maker said of it and nothing here depends on. Times are Unix time, 0 for a declared one."""

    name: str
    description: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    created_s: float = 0.0
    updated_s: float = 0.0


def read(connection: Connection, name: str, declared: frozenset[str], lock: bool = False) -> Workspace:
    """A workspace that is stored or `declared`. With `lock` nobody deletes it before the transaction's end.

    Raises `WorkspaceNotFound`.
    """
    query = select(workspace).where(workspace.c.name == plain(name))
    found = connection.execute(query.with_for_update(read=True) if lock else query).mappings().first()
    if found is not None:
        return Workspace(**{**found, "facts": msgspec.json.decode(found["facts"])})
    if name in declared:
        return Workspace(name)
    raise WorkspaceNotFound(f"The workspace '{name[:200]}' does not exist: CreateWorkspace makes one.")


def read_all(connection: Connection, declared: frozenset[str]) -> Sequence[Workspace]:
    """The newest first; those that are declared only at the end."""
    rows = connection.execute(select(workspace).order_by(workspace.c.created_s.desc(), workspace.c.name)).mappings()
    stored = [Workspace(**{**row, "facts": msgspec.json.decode(row["facts"])}) for row in rows]
    return [*stored, *(Workspace(name) for name in sorted(declared - {one.name for one in stored}))]


def create(connection: Connection, actor: Actor, new: Workspace, declared: frozenset[str]) -> Workspace:
    """Raises `InvalidInput`, `Conflict`."""
    if not _NAME.fullmatch(new.name) or len(new.name) > MAX_NAME:
        raise InvalidInput(f"A workspace's name holds A-Z a-z 0-9 . _ - only, {MAX_NAME} of them at most.", "$.name")
    taken = Conflict(f"The workspace '{new.name}' exists already.")
    if new.name in declared:
        raise taken
    made = replace(new, created_s=time.time(), updated_s=time.time())
    try:
        connection.execute(insert(workspace).values(_values(made)))
    except IntegrityError as error:
        raise taken from error
    record(connection, actor.who, "CreateWorkspace", f"workspace/{new.name}", actor.request_id)
    return made


def describe(
    connection: Connection, actor: Actor, name: str, description: str | None, declared: frozenset[str]
) -> Workspace:
    """Say something else of it; None says nothing else. Raises `WorkspaceNotFound`."""
    if name in declared:  # it needs no row, and two first descriptions may come at once
        connection.execute(_DECLARE, _values(Workspace(name)))
    _lock(connection, name)
    old = read(connection, name, frozenset())
    told = old.description if description is None else check_description(description)
    new = replace(old, description=told, updated_s=time.time())
    connection.execute(update(workspace).where(workspace.c.name == name).values(_values(new)))
    record(connection, actor.who, "UpdateWorkspace", f"workspace/{name}", actor.request_id)
    return new


def remove(
    connection: Connection,
    actor: Actor,
    name: str,
    declared: frozenset[str],
    count_keys: Callable[[Connection, str], int],
) -> None:
    """Raises `WorkspaceNotFound`, and `Conflict` for a declared one and while it has keys, deployments or models."""
    if name in declared:
        raise Conflict(f"The workspace '{name}' is always there, or declared in the configuration.")
    if not _lock(connection, name):
        raise WorkspaceNotFound(f"The workspace '{name[:200]}' does not exist.")
    held = {
        "API keys": count_keys(connection, name),
        "deployments": connection.scalar(select(func.count()).where(deployment.c.workspace == name)),
        "trained reductions": connection.scalar(select(func.count()).where(training.c.workspace == name)),
        "models": connection.scalar(select(func.count()).where(model.c.namespace == name)),
    }
    if parts := [f"{count} {what}" for what, count in held.items() if count]:
        raise Conflict(f"The workspace '{name}' still has {', '.join(parts)}: remove them first.")
    connection.execute(delete(workspace).where(workspace.c.name == name))
    record(connection, actor.who, "DeleteWorkspace", f"workspace/{name}", actor.request_id)


def plain(name: str) -> str:
    """A name to look for; no table holds a NUL, and PostgreSQL would refuse the question."""
    return name.replace("\x00", "\ufffd")


def check_description(given: str) -> str:
    """Raises `InvalidInput` for one that is too long, or that not every database can hold."""
    if len(given) > MAX_DESCRIPTION or "\x00" in given:
        raise InvalidInput(f"A description is at most {MAX_DESCRIPTION} characters, without NUL.", "$.description")
    return given


def _lock(connection: Connection, name: str) -> bool:
    """Keep others from changing or deleting the row until the transaction ends. False where there is none."""
    query = select(workspace.c.name).where(workspace.c.name == plain(name)).with_for_update()
    return connection.execute(query).first() is not None


def _values(row: Workspace) -> dict[str, Any]:
    return {
        "name": row.name,
        "description": row.description,
        "facts": msgspec.json.encode(row.facts).decode(),
        "created_s": row.created_s,
        "updated_s": row.updated_s,
    }
