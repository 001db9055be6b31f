"""`embedway models`: what is configured, where its files are, what it can do."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedway.cli.table import render
from embedway.errors import SetupError
from embedway.models.bundled import BUNDLED
from embedway.models.families import find_family
from embedway.models.recipe import read_recipe
from embedway.models.reduction import read_reduction
from embedway.models.services import SERVICES, Service
from embedway.models.source import find_model
from embedway.settings import Settings
from embedway.types import Agreement, ModelSpec

_KNOWN = ("name", "task", "languages", "dimensions", "max_tokens", "weights", "certainty", "local")
_COLUMNS = ("name", "aliases", "source", "origin", "family", "dimensions", "max_tokens", "int8", "problem")


def list_models(settings: Settings, as_json: bool, measured: bool) -> str:
    """A table, or one JSON object a line. A model whose files cannot be found is listed with the reason.

    `measured` opens each model in int8 and says how it compares with itself in float32.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # looking is not fetching
    rows = [_row(spec, measured) for spec in settings.model]
    return render(_COLUMNS, rows, as_json)


def list_known(as_json: bool) -> str:
    """Every service id and bundled model that is known by name, and whether its files are on this machine."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # looking is not fetching
    rows = [_known_service(service) for service in SERVICES.values()]
    rows += [
        {
            "name": name,
            "task": "embedding",
            "languages": "English",
            "dimensions": None,
            "max_tokens": None,
            "weights": model.repository,
            "certainty": "bundled",
            "local": _local(name),
        }
        for model in BUNDLED
        for name in sorted(model.names)
        if "/" not in name
    ]
    return render(_KNOWN, rows, as_json)


def _known_service(service: Service) -> dict[str, Any]:
    return {
        "name": service.id,
        "task": service.task,
        "languages": service.languages,
        "dimensions": service.dimensions,
        "max_tokens": service.max_tokens,
        "weights": service.weights or ", ".join(service.stand_ins) or None,
        "certainty": service.certainty,
        "local": _local(service.weights) if service.weights else False,
    }


def _local(source: str) -> bool:
    try:
        find_model(source)
    except SetupError:
        return False
    return True


def _row(spec: ModelSpec, measured: bool) -> dict[str, Any]:
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
        if spec.backend != "sentence" and find_spec("sentence_transformers") is None:
            find_family(recipe.family).check(recipe.config)
        dimensions = read_reduction(Path(spec.reduction)).card.dimension if spec.reduction else recipe.dimensions
    except SetupError as error:
        return row | {"problem": error.message}
    return row | {
        "origin": files.origin,
        "family": recipe.family,
        "dimensions": dimensions,
        "max_tokens": recipe.max_tokens,
        "int8": str(_agreement(spec)) if measured else None,
    }


def _agreement(spec: ModelSpec) -> Agreement | None:
    from embedway.backends.open import open_backend

    with closing(open_backend(dataclasses.replace(spec, dtype="int8"))) as backend:
        return backend.facts.agreement
