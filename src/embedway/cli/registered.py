"""What `embedway models` and `embedway instances` do in the database, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import IO, Any, Literal, TypeVar

import msgspec

from embedway.backends.trace import ask
from embedway.catalog import instances, row
from embedway.catalog.catalog import Actor, Catalog
from embedway.catalog.verbatim import parse, write
from embedway.catalog.wiring import make_catalog
from embedway.cli.table import render
from embedway.cli.user import who
from embedway.errors import SettingsError
from embedway.http.dialects.instances import at_time, show
from embedway.http.dialects.registry import debugged
from embedway.settings import Settings
from embedway.store.database import open_database
from embedway.store.vault import open_vault
from embedway.types import DEFAULT_NAMESPACE

T = TypeVar("T")

_MODELS = ("instance", "name", "type", "status", "dimension", "latency_ms", "url", "updated", "problem")
_INSTANCES = ("id", "models", "created", "origin")


def read_content(
    source: IO[str] | None,
    url: str | None,
    kind: str | None,
    method: str | None,
    body: str | None,
    response: str | None,
    dimension: int | None,
    headers: Sequence[str],
    build: Sequence[str],
    search: Sequence[str],
) -> bytes:
    """A definition in JSON: the file's, with the keys that options name replaced. Raises `InvalidInput`,
    `SettingsError`.
    """
    content: dict[str, Any] = dict(parse(source.read())) if source is not None else {}
    if isinstance(inner := content.get("content"), dict):  # the whole body of CreateModel
        content = inner
    content.setdefault("modelType", "text_embedding")
    request = content.setdefault("request", {})
    parameters = {"build": _pairs(build, "=", "--build"), "search": _pairs(search, "=", "--search")}
    _put(content, {"url": url, "modelType": kind, "method": method, "dimension": dimension})
    _put(content, {"response": {"embeddings": response} if response else None})
    if isinstance(request, dict):
        sent = {"requestBody": body, "header": _pairs(headers, ":", "--header")}
        _put(request, sent | {"parameters": {name: given for name, given in parameters.items() if given}})
    return write(content).encode()


def add_model(settings: Settings, instance: str, name: str, content: bytes, dry_run: bool, as_json: bool) -> str:
    """Register a model; what to print of it. Raises what `Catalog.create` does."""

    async def work(catalog: Catalog) -> str:
        await catalog.create(instance, name, content, Actor(who(), ""), dry_run)
        if dry_run:
            return f"The model '{name}' could be registered; it answers."
        added = await catalog.get(instance, name)
        if as_json:
            return write(show(added))
        found = f"{added.dimension} dimensions, " if added.dimension else ""
        state = f"it answers ({found}{added.latency_ms:.0f} ms)" if added.status == "ok" else added.reason
        return f"The model '{name}' is registered in the instance '{instance}': {state}."

    return _with_catalog(settings, work)


def show_model(settings: Settings, instance: str, name: str, as_json: bool) -> str:
    """The model as the API shows it."""

    async def work(catalog: Catalog) -> str:
        shown = write(show(await catalog.get(instance, name)))
        return shown if as_json else json.dumps(json.loads(shown), indent=2, ensure_ascii=False)

    return _with_catalog(settings, work)


def test_model(
    settings: Settings, instance: str, name: str, text: str, phase: Literal["build", "search"], as_json: bool
) -> tuple[str, bool]:
    """Ask a model once: what came of it, and whether that was a result."""

    async def work(catalog: Catalog) -> tuple[str, bool]:
        whole = await catalog.whole(instance, name)
        trace = await ask(whole.remote, text, phase)
        result = debugged(trace, whole.secrets)
        if as_json:
            return msgspec.json.encode(result).decode(), not trace.problem
        said = result.problem or f"{_shown(result.found)} after {trace.latency_ms:.0f} ms"
        return f"{trace.method} {result.request.url}: {trace.status or 'no answer'}. {said}", not trace.problem

    return _with_catalog(settings, work)


def remove_model(settings: Settings, instance: str, name: str) -> None:
    """Raises `InstanceNotFound`, `ModelNotFound`."""
    _with_catalog(settings, lambda catalog: catalog.delete(instance, name, Actor(who(), "")))


def list_registered(settings: Settings, instance: str | None, as_json: bool) -> str:
    """A table, or one JSON object a line."""
    with closing(open_database(settings)) as database:
        found = database.run_now(row.read_all, reads=True)
    rows = [
        {
            "instance": one.namespace,
            "name": one.name,
            "type": one.kind,
            "status": one.status,
            "dimension": one.dimension,
            "latency_ms": one.latency_ms,
            "url": one.content.get("url"),
            "updated": at_time(one.updated_s),
            "problem": one.reason or None,
        }
        for one in found
        if instance in (None, one.namespace)
    ]
    return render(_MODELS, rows, as_json)


def add_instance(settings: Settings, name: str) -> None:
    """Raises `InvalidInput`, `Conflict`."""
    if name in _declared(settings):
        raise SettingsError(f"The instance '{name}' exists already: it is the configuration's.")
    with closing(open_database(settings)) as database:
        database.run_now(partial(instances.add, name=name, who=who()))


def list_instances(settings: Settings, as_json: bool) -> str:
    """A table, or one JSON object a line."""
    with closing(open_database(settings)) as database:
        found = database.run_now(partial(instances.read_all, declared=_declared(settings)), reads=True)
    rows = [
        {
            "id": one.id,
            "models": one.models,
            "created": None if one.created_s is None else at_time(one.created_s),
            "origin": "configuration" if one.created_s is None else "database",
        }
        for one in found
    ]
    return render(_INSTANCES, rows, as_json)


def remove_instance(settings: Settings, name: str) -> None:
    """Raises `InstanceNotFound`, `Conflict`."""
    if name in _declared(settings):
        raise SettingsError(f"The instance '{name}' is the configuration's: take it out there.")
    with closing(open_database(settings)) as database:
        database.run_now(partial(instances.remove, name=name, who=who()))


def _with_catalog(settings: Settings, work: Callable[[Catalog], Awaitable[T]]) -> T:
    """Work with the catalogue of the database; running servers see what it changes."""
    names = {name for spec in settings.model for name in (spec.name, *spec.aliases)}

    async def changed() -> None:
        """Nothing is served here."""

    async def run() -> T:
        database = open_database(settings)
        try:
            vault = open_vault(settings, database)
            return await work(make_catalog(settings, database, vault, names.__contains__, changed))
        finally:
            await database.stop()

    return asyncio.run(run())


def _declared(settings: Settings) -> Sequence[str]:
    return list(dict.fromkeys((DEFAULT_NAMESPACE, *(one.id for one in settings.instance))))


def _put(target: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put what was given beside what is there."""
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            target[key] |= value
        elif value not in (None, {}):
            target[key] = value


def _pairs(given: Sequence[str], separator: str, flag: str) -> dict[str, str]:
    pairs = [one.partition(separator) for one in given]
    if any(not name.strip() or not found for name, found, _ in pairs):
        raise SettingsError(f"{flag} must read NAME{separator}VALUE.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _shown(found: Sequence[Any]) -> str:
    """What the JSONPath found, in a few words."""
    first = found[0] if found else None
    if isinstance(first, list) and first and all(isinstance(one, (int, float)) for one in first):
        return f"A vector of {len(first)} dimensions, beginning with {', '.join(f'{one:.4f}' for one in first[:3])},"
    return f"{len(found)} results, beginning with {json.dumps(first, ensure_ascii=False)[:200]},"
