"""Custom deployments in the store, beside those of the configuration, which are read-only and win.

A deployment's id is its name, once on a server: it is all that the path of its calls holds. Its token is kept as
SHA-256. One that was made over the API is also kept sealed until it was shown once, since the reply that makes a
deployment has no place for it.
"""

from __future__ import annotations

import re
import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from embedway.catalog.workspaces import check_description, plain
from embedway.errors import Conflict, DeploymentNotFound, InvalidInput
from embedway.settings import Deployment, hash_secret
from embedway.store import versions
from embedway.store.actor import Actor
from embedway.store.audit import record
from embedway.store.schema import deployment
from embedway.types import Task

VERSION = "deployments"
"""The version that each change bumps."""
PREFIX = "DT-"
"""How the tokens that Embedway makes begin."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]{16,256}")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Row:
    """A stored deployment. `sealed` is its token until it was shown; `edition` counts the changes. Unix time."""

    id: str
    workspace: str
    model: str
    task: Task
    token_sha256: str
    sealed: str = ""
    description: str = ""
    running: bool = True
    edition: int = 1
    created_s: float = 0.0
    updated_s: float = 0.0

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.id, self.model, self.task, self.workspace, self.token_sha256)


def make_token() -> str:
    """A new token, some 238 bits."""
    return PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(40))


def check_id(name: str) -> None:
    """Raises `InvalidInput`."""
    if not _ID.fullmatch(name):
        raise InvalidInput("A deployment's name holds A-Z a-z 0-9 . _ - only, 64 of them at most.", "$.instanceName")


def check_token(token: str) -> None:
    """Raises `InvalidInput` for a caller's own token that is too short, or that no header can carry."""
    if not _TOKEN.fullmatch(token):
        raise InvalidInput("A token of your own is 16 to 256 visible ASCII characters.", "$.createParameters")


def read_all(connection: Connection) -> Sequence[Row]:
    """Those of all workspaces, the oldest first."""
    return _rows(connection, select(deployment).order_by(deployment.c.created_s, deployment.c.id))


def read_in(connection: Connection, workspace: str) -> Sequence[Row]:
    """Those of one workspace, the oldest first."""
    query = select(deployment).where(deployment.c.workspace == workspace)
    return _rows(connection, query.order_by(deployment.c.created_s, deployment.c.id))


def read(connection: Connection, workspace: str, name: str) -> Row:
    """Raises `DeploymentNotFound`, also for one of another workspace."""
    query = select(deployment).where(deployment.c.id == plain(name)).with_for_update()
    for row in _rows(connection, query):
        if row.workspace == workspace:
            return row
    raise DeploymentNotFound(f"The workspace '{workspace}' has no stored deployment '{name[:200]}'.")


def create(connection: Connection, actor: Actor, row: Row) -> None:
    """Raises `InvalidInput`, `Conflict`."""
    check_id(row.id)
    check_description(row.description)
    now_s = time.time()
    try:
        connection.execute(insert(deployment).values(_values(replace(row, created_s=now_s, updated_s=now_s))))
    except IntegrityError as error:
        raise Conflict(f"There is a deployment '{row.id}' already: choose another name.") from error
    _tell(connection, actor, "CreateDeployment", row)


def change(connection: Connection, actor: Actor, new: Row, action: str = "UpdateDeployment") -> None:
    """Write a row that was read in this transaction in its new form."""
    check_description(new.description)
    changed = replace(new, edition=new.edition + 1, updated_s=time.time())
    connection.execute(update(deployment).where(deployment.c.id == new.id).values(_values(changed)))
    _tell(connection, actor, action, changed)


def switch(connection: Connection, actor: Actor, workspace: str, name: str, running: bool) -> Row:
    """Cease or resume it. Raises `DeploymentNotFound`."""
    row = replace(read(connection, workspace, name), running=running)
    change(connection, actor, row, "ResumeDeployment" if running else "CeaseDeployment")
    return row


def take_token(connection: Connection, actor: Actor, row: Row) -> str:
    """The sealed token of a row that was read in this transaction; it can be taken once. Empty when there is none."""
    if row.sealed:
        connection.execute(update(deployment).where(deployment.c.id == row.id).values(token=""))
        _tell(connection, actor, "ShowDeploymentToken", row)
    return row.sealed


def remove(connection: Connection, actor: Actor, workspace: str, name: str) -> None:
    """Raises `DeploymentNotFound`."""
    row = read(connection, workspace, name)
    connection.execute(delete(deployment).where(deployment.c.id == name))
    _tell(connection, actor, "DeleteDeployment", row)


def with_token(row: Row, token: str, sealed: str = "") -> Row:
    """The row with another token."""
    return replace(row, token_sha256=hash_secret(token), sealed=sealed)


def _tell(connection: Connection, actor: Actor, action: str, row: Row) -> None:
    detail = {"model": row.model, "task": row.task, "running": row.running}
    subject = f"workspace/{row.workspace}/deployment/{row.id}"
    record(connection, actor.who, action, subject, actor.request_id, detail)
    versions.bump(connection, VERSION)


def _rows(connection: Connection, query: Select[tuple[object, ...]]) -> Sequence[Row]:
    found = (dict(row) for row in connection.execute(query).mappings())
    return [Row(sealed=row.pop("token"), **row) for row in found]


def _values(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "workspace": row.workspace,
        "model": row.model,
        "task": row.task,
        "token_sha256": row.token_sha256,
        "token": row.sealed,
        "description": row.description,
        "running": row.running,
        "edition": row.edition,
        "created_s": row.created_s,
        "updated_s": row.updated_s,
    }
