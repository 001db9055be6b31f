"""What `embedway deployments` does in the store."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from embedway.catalog import deployments
from embedway.cli.table import render
from embedway.cli.times import moment
from embedway.cli.transaction import change
from embedway.cli.user import who
from embedway.errors import SettingsError
from embedway.settings import Settings
from embedway.store.actor import Actor
from embedway.types import Task

_COLUMNS = ("id", "state", "workspace", "model", "task", "description", "created", "origin")


def make(settings: Settings, name: str, model: str, task: Task, workspace: str, description: str, as_json: bool) -> str:
    """Store a new deployment; its id and token as text. Raises `SettingsError`, `StoreUnavailable`."""
    _refuse_configured(settings, name)
    token = deployments.make_token()
    row = deployments.with_token(deployments.Row(name, workspace, model, task, "", description=description), token)
    change(settings, partial(deployments.create, actor=Actor(who()), row=row))
    if as_json:
        return json.dumps({"id": name, "token": token})
    return f"id:     {name}\ntoken:  {token}"


def switch(settings: Settings, workspace: str, name: str, running: bool, as_json: bool) -> str:
    """Cease or resume. Raises `SettingsError`, `StoreUnavailable`."""
    _refuse_configured(settings, name)
    work = partial(deployments.switch, actor=Actor(who()), workspace=workspace, name=name, running=running)
    change(settings, work)
    return _done(name, "running" if running else "ceased", as_json)


def drop(settings: Settings, workspace: str, name: str, as_json: bool) -> str:
    """Remove it. Raises `SettingsError`, `StoreUnavailable`."""
    _refuse_configured(settings, name)
    change(settings, partial(deployments.remove, actor=Actor(who()), workspace=workspace, name=name))
    return _done(name, "removed", as_json)


def list_all(settings: Settings, workspace: str | None, as_json: bool) -> str:
    """A table, or one JSON object a line. Raises `StoreUnavailable`."""
    stored = change(settings, deployments.read_all, reads=True)
    configured = {one.id for one in settings.deployment}
    rows: list[dict[str, Any]] = [
        {"id": one.id, "state": "running", "workspace": one.workspace, "model": one.model, "task": one.task}
        | {"description": None, "created": None, "origin": "configuration"}
        for one in settings.deployment
    ]
    rows += [_row(row, hidden=row.id in configured) for row in stored]
    return render(_COLUMNS, [row for row in rows if workspace in (None, row["workspace"])], as_json)


def _row(row: deployments.Row, hidden: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": "hidden by the configuration" if hidden else "running" if row.running else "ceased",
        "workspace": row.workspace,
        "model": row.model,
        "task": row.task,
        "description": row.description or None,
        "created": moment(row.created_s),
        "origin": "database",
    }


def _refuse_configured(settings: Settings, name: str) -> None:
    if any(one.id == name for one in settings.deployment):
        raise SettingsError(f"The deployment '{name}' is one of the configuration: change it there.")


def _done(name: str, state: str, as_json: bool) -> str:
    return json.dumps({"id": name, "state": state}) if as_json else f"The deployment {name} is {state}."
