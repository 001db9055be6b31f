"""`embedway models`: what is configured, where its files are, what it can do."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import closing
from typing import Any

from embedway.errors import SetupError
from embedway.settings import Settings
from embedway.types import Agreement, ModelSpec

_COLUMNS = ("name", "aliases", "source", "origin", "family", "dimensions", "max_tokens", "int8", "problem")


def list_models(settings: Settings, as_json: bool, measured: bool) -> str:
    """A table, or one JSON object a line. A model whose files cannot be found is listed with the reason.

    `measured` opens each model in int8 and says how it compares with itself in float32.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # looking is not fetching
    rows = [_row(spec, measured) for spec in settings.model]
    if as_json:
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    table = [_COLUMNS, *([str(row[column]) if row[column] is not None else "-" for column in _COLUMNS] for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )


def _row(spec: ModelSpec, measured: bool) -> dict[str, Any]:
    from embedway.models.recipe import read_recipe
    from embedway.models.source import find_model

    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {
        "name": spec.name,
        "aliases": ",".join(spec.aliases) or None,
        "source": spec.source,
    }
    if spec.source.partition(":")[0] == "fake":
        return row | {"origin": "built in", "family": "fake"}
    try:
        files = find_model(spec.source, spec.revision)
        recipe = read_recipe(files, spec)
    except SetupError as error:
        return row | {"problem": error.message}
    return row | {
        "origin": files.origin,
        "family": recipe.family,
        "dimensions": recipe.dimensions,
        "max_tokens": recipe.max_tokens,
        "int8": str(_agreement(spec)) if measured else None,
    }


def _agreement(spec: ModelSpec) -> Agreement | None:
    from embedway.backends.open import open_backend

    with closing(open_backend(dataclasses.replace(spec, dtype="int8"))) as backend:
        return backend.facts.agreement
