"""`embedway jobs`: the background jobs in the database, and ending one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from embedway.cli.options import read_settings, settings_flags
from embedway.cli.table import render, say
from embedway.jobs.job import Job, Status

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
_COLUMNS = ("id", "workspace", "status", "progress", "attempts", "created", "updated", "error")


@click.group()
def jobs() -> None:
    """List, show and cancel background jobs, such as the tasks of image-analyze."""


@jobs.command("list")
@settings_flags(("database_url",))
@click.option("--workspace", help="Only the jobs of this workspace.")
@click.option("--status", type=click.Choice(get_args(Status)), help="Only the jobs of this status.")
@click.option("--most", type=click.IntRange(1), default=100, show_default=True, help="How many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    config: Path | None,
    database_url: str | None,
    workspace: str | None,
    status: Status | None,
    most: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first. One that has ended stays for seven days."""
    from embedway.jobs.queue import list_jobs

    found = _run(config, database_url, partial(list_jobs, namespace=workspace, status=status, most=most), reads=True)
    click.echo(render(_COLUMNS, [_row(job) for job in found], as_json))


@jobs.command()
@settings_flags(("database_url",))
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(config: Path | None, database_url: str | None, job_id: str, as_json: bool) -> None:
    """Show one job, what came out of it, and its log."""
    from embedway.jobs.log import read_lines
    from embedway.jobs.queue import find

    job, lines = _run(config, database_url, lambda store: (find(store, job_id), read_lines(store, job_id)), reads=True)
    shown = _row(job) | {"kind": job.kind, "result": job.result}
    log = [{"at": _moment(line.at_s), "line": line.text} for line in lines]
    if as_json:
        click.echo(json.dumps(shown | {"log": log}, ensure_ascii=False))
        return
    width = max(map(len, shown))
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name:{width}}  {'-' if value is None else text}")
    for one in log:
        click.echo(f"{one['at']}  {one['line']}")


@jobs.command()
@settings_flags(("database_url",))
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def cancel(config: Path | None, database_url: str | None, job_id: str, as_json: bool) -> None:
    """End a job that has not ended. The server that runs it stops within a second or two."""
    from embedway.jobs.queue import cancel as end

    _run(config, database_url, partial(end, job_id=job_id))
    click.echo(say(f"The job {job_id} is cancelled.", as_json, id=job_id, status="cancelled"))


def _run(config: Path | None, database_url: str | None, work: Callable[[Connection], T], reads: bool = False) -> T:
    """Do it in the configured database. Raises `JobNotFound`, `Conflict`, `StoreUnavailable`, `SettingsError`."""
    from embedway.store.database import open_database

    with closing(open_database(read_settings(config, {"database_url": database_url}))) as database:
        return database.run_now(work, reads=reads)


def _row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "workspace": job.namespace,
        "status": job.status,
        "progress": round(job.progress, 3),
        "attempts": f"{job.attempts}/{job.max_attempts}",
        "created": _moment(job.created_s),
        "updated": _moment(job.updated_s),
        "error": job.error,
    }


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
