"""`embedway usage`: what was used, as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from embedway.access.usage import COLUMNS, UsageRow, read_usage
from embedway.settings import Settings
from embedway.store.database import open_database

SUMS = ("requests", "errors", "tokens")


@dataclass(frozen=True, slots=True)
class Report:
    """Which days, told apart by which columns (none: by all), in which form (None: a table)."""

    since: datetime | None = None
    until: datetime | None = None
    by: Sequence[str] = ()
    form: Literal["json", "csv"] | None = None


def show_usage(settings: Settings, report: Report) -> str:
    """The sums as text. Raises `StoreUnavailable`."""
    by = report.by or COLUMNS
    since, until = (f"{day:%Y-%m-%d}" if day else default for day, default in ((report.since, ""), (report.until, "9")))
    database = open_database(settings)
    try:
        rows = database.run_now(lambda connection: read_usage(connection, since, until, by), reads=True)
    finally:
        database.close()
    columns = [*(name for name in COLUMNS if name in by), *SUMS]
    form = report.form
    if form == "json":
        return "\n".join(json.dumps({name: getattr(row, name) for name in columns}) for row in rows)
    cells = [[str(getattr(row, name)) for name in columns] for row in rows]
    return _csv(columns, cells) if form == "csv" else _table(columns, cells, rows)


def _csv(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(cells)
    return text.getvalue().rstrip("\n")


def _table(columns: Sequence[str], cells: Sequence[Sequence[str]], rows: Sequence[UsageRow]) -> str:
    """Columns of equal width, numbers to the right, and their sums in the last line."""
    if not rows:
        return "Nothing was used, or no server that uses this database has run."
    total = {name: str(sum(getattr(row, name) for row in rows)) for name in SUMS}
    lines = [list(columns), *map(list, cells), [total.get(name, "") for name in columns]]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if name in SUMS else cell.ljust(width)
            for name, cell, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
