"""Reductions that are trained over the platform's API: rows of a workspace, and the verbs that change them.

A run of the training is a job. The last run that succeeded names the artefact by its id, so a folder never changes
what it holds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from embedway.catalog.plan import INLINE, SOURCES, merge
from embedway.catalog.workspaces import check_description, plain
from embedway.errors import Conflict, DeploymentNotFound, InvalidInput, JobNotFound
from embedway.jobs import queue
from embedway.jobs.job import UNDONE, Job
from embedway.store import versions
from embedway.store.actor import Actor
from embedway.store.audit import record
from embedway.store.schema import training

KIND = "reduce"
"""Of the jobs that train."""
VERSION = "trainings"
"""The version that each change of what is served bumps."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Row:
    """`parameters` as they were given, without those that hold rows. `job_id` is the last run, and `trained` the last
    one that succeeded; `edition` counts these. Unix time.
    """

    workspace: str
    name: str
    parameters: Mapping[str, str]
    description: str = ""
    job_id: str | None = None
    trained: str | None = None
    edition: int = 0
    created_s: float = 0.0
    updated_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller says of a training. `parameters` may hold rows."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None


def folder_of(root: Path, workspace: str, name: str, run: str = "") -> Path:
    """Where the artefact of a run lies; without one, where those of the training do. No name leads elsewhere."""
    return root / "reductions" / _plain_part(workspace) / _plain_part(name) / run


def read_in(connection: Connection, workspace: str) -> Sequence[Row]:
    """Those of one workspace, the oldest first."""
    found = select(*_SHOWN).where(training.c.workspace == plain(workspace))
    return _rows(connection, found.order_by(training.c.created_s, training.c.name))


def read(connection: Connection, workspace: str, name: str) -> Row:
    """Locked until the transaction's end. Raises `DeploymentNotFound`."""
    for row in _rows(connection, select(*_SHOWN).where(*_key(workspace, name)).with_for_update()):
        return row
    raise DeploymentNotFound(f"The workspace '{workspace[:200]}' has no training '{name[:200]}'.")


def read_data(connection: Connection, row: Row) -> str:
    """The rows that came with its parameters."""
    return str(connection.scalar(select(training.c.data).where(*_key(row.workspace, row.name))) or "")


def read_served(connection: Connection) -> Mapping[tuple[str, str], str]:
    """The newest artefact of each workspace and name: the id of the run that made it."""
    columns = (training.c.workspace, training.c.name, training.c.trained)
    found = connection.execute(select(*columns).where(training.c.trained.is_not(None)))
    return {(row.workspace, row.name): row.trained for row in found}


def read_run(connection: Connection, row: Row) -> Job | None:
    """The last run; None where there was none, and when it is long over and forgotten."""
    try:
        return queue.find(connection, row.job_id) if row.job_id else None
    except JobNotFound:
        return None


def create(connection: Connection, actor: Actor, workspace: str, name: str, asked: Asked) -> None:
    """Raises `InvalidInput`, `Conflict`."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A training's name holds A-Z a-z 0-9 . _ - only, 64 of them at most, and begins with a letter or digit.",
            "$.instanceName",
        )
    now_s = time.time()
    said = {"description": check_description(asked.description or ""), "created_s": now_s, "updated_s": now_s}
    values = {"workspace": workspace, "name": name, "edition": 0, **said, **_split(asked.parameters)}
    try:
        connection.execute(insert(training).values(values))
    except IntegrityError as error:
        raise Conflict(f"There is a training '{name}' already: choose another name.") from error
    _tell(connection, actor, "CreateTraining", workspace, name)


def change(connection: Connection, actor: Actor, row: Row, asked: Asked) -> None:
    """Of a row that was read in this transaction. Raises `Conflict` while it is being trained, `InvalidInput`."""
    _check_still(connection, row)
    values: dict[str, Any] = {"updated_s": time.time()}
    if asked.description is not None:
        values["description"] = check_description(asked.description)
    if asked.parameters:
        split = _split(merge(row.parameters, asked.parameters))
        if not set(asked.parameters) & set(SOURCES):
            del split["data"]  # the rows that came before stay
        values |= split
    connection.execute(update(training).where(*_key(row.workspace, row.name)).values(values))
    _tell(connection, actor, "UpdateTraining", row.workspace, row.name)


def start(connection: Connection, actor: Actor, workspace: str, name: str) -> str:
    """Train it: the id of the job. Raises `DeploymentNotFound`, `Conflict` while it is being trained, `Overloaded`."""
    row = read(connection, workspace, name)
    _check_still(connection, row)
    job_id = queue.add(connection, KIND, workspace, {"name": name})
    values = {"job_id": job_id, "updated_s": time.time()}
    connection.execute(update(training).where(*_key(workspace, name)).values(values))
    _tell(connection, actor, "StartTraining", workspace, name)
    return job_id


def cease(connection: Connection, actor: Actor, workspace: str, name: str) -> None:
    """Cancel the run. Raises `DeploymentNotFound`, and `Conflict` where none is."""
    row = read(connection, workspace, name)
    run = read_run(connection, row)
    if run is None or run.status not in UNDONE:
        raise Conflict(f"'{name}' is not being trained: there is nothing to cease.")
    queue.cancel(connection, run.id)
    _tell(connection, actor, "CeaseTraining", workspace, name)


def resume(connection: Connection, actor: Actor, workspace: str, name: str) -> str:
    """Train anew what was ceased. Raises as `start` does, and `Conflict` where nothing was ceased."""
    run = read_run(connection, read(connection, workspace, name))
    if run is None or run.status != "cancelled":
        raise Conflict(f"The training of '{name}' was not ceased: CreateFunctionTask starts one.")
    return start(connection, actor, workspace, name)


def publish(connection: Connection, job: Job, row: Row) -> bool:
    """Serve what a run has made, if the run is still the one that counts."""
    mine = (*_key(row.workspace, row.name), training.c.job_id == job.id)
    if not queue.holds(connection, job):
        return False
    values = {"trained": job.id, "edition": training.c.edition + 1, "updated_s": time.time()}
    if not connection.execute(update(training).where(*mine).values(values)).rowcount:
        return False
    _tell(connection, Actor("server", job.id), "FinishTraining", row.workspace, row.name)
    return True


def is_void(connection: Connection, job: Job) -> bool:
    """Whether a run has ended without a result that is served, or was removed with its training."""
    key = (training.c.workspace == job.namespace, training.c.trained == job.id)
    if connection.scalar(select(training.c.name).where(*key)) is not None:
        return False
    try:
        return queue.find(connection, job.id).status not in UNDONE
    except JobNotFound:
        return True


def remove(connection: Connection, actor: Actor, workspace: str, name: str) -> None:
    """Its run is cancelled. The artefacts are left to the caller. Raises `DeploymentNotFound`."""
    row = read(connection, workspace, name)
    run = read_run(connection, row)
    if run is not None and run.status in UNDONE:
        queue.cancel(connection, run.id)
    connection.execute(delete(training).where(*_key(workspace, name)))
    _tell(connection, actor, "DeleteTraining", workspace, name)


def _check_still(connection: Connection, row: Row) -> None:
    run = read_run(connection, row)
    if run is not None and run.status in UNDONE:
        raise Conflict(f"'{row.name}' is being trained: wait, or cease it first.")


def _tell(connection: Connection, actor: Actor, action: str, workspace: str, name: str) -> None:
    record(connection, actor.who, action, f"workspace/{workspace}/training/{name}", actor.request_id)
    versions.bump(connection, VERSION)


def _split(parameters: Mapping[str, str]) -> dict[str, str]:
    """The columns of what was given: rows apart, so that a list of trainings does not read them."""
    rows = "".join(parameters.get(name, "") for name in INLINE)
    kept = {name: "" if name in INLINE else value for name, value in parameters.items()}
    return {
        "parameters": queue.storable(msgspec.json.encode(kept).decode()),
        "data": queue.storable(rows),
    }


_SHOWN = [column for column in training.columns if column.name != "data"]


def _key(workspace: str, name: str) -> tuple[Any, ...]:
    return training.c.workspace == plain(workspace), training.c.name == plain(name)


def _rows(connection: Connection, query: Any) -> Sequence[Row]:
    found = connection.execute(query).mappings()
    return [replace(Row(**row), parameters=msgspec.json.decode(row["parameters"])) for row in found]


def _plain_part(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E")
