"""`embedway usage`: what was used, as a table, JSON or CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import click

from embedway.access.usage import COLUMNS, read_usage
from embedway.cli.options import read_settings, settings_flags
from embedway.cli.table import render
from embedway.settings import Settings

SUMS = ("requests", "errors", "tokens")


@dataclass(frozen=True, slots=True)
class Report:
    """Which days (None: from the first, to the last), told apart by which columns (none: by all), in which form (None:
    a table).
    """

    since: datetime | None = None
    until: datetime | None = None
    by: Sequence[str] = ()
    form: Literal["json", "csv"] | None = None


@click.command()
@settings_flags(("database_url",))
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC); by default the first of all.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day; by default the last of all.")
@click.option("--by", multiple=True, type=click.Choice(COLUMNS), help="What to tell apart; by default all of them.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a head line.")
def usage(config: Path | None, database_url: str | None, **options: Any) -> None:
    """Show the requests, errors and tokens of keys, namespaces and models."""
    shown = show_usage(read_settings(config, {"database_url": database_url}), Report(**options))
    click.echo(shown, nl=bool(shown))


def show_usage(settings: Settings, report: Report) -> str:
    """The sums as text. Raises `StoreUnavailable`."""
    from embedway.store.database import open_database

    by = [name for name in COLUMNS if name in (report.by or COLUMNS)]
    since = f"{report.since:%Y-%m-%d}" if report.since else ""
    until = f"{report.until:%Y-%m-%d}" if report.until else "9999"
    with closing(open_database(settings)) as database:
        found = database.run_now(partial(read_usage, since=since, until=until, by=by), reads=True)
    columns = [*by, *SUMS]
    rows = [{name: value for name, value in dataclasses.asdict(row).items() if name in columns} for row in found]
    if report.form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().rstrip("\n")
    return render(columns, rows, report.form == "json")
