"""Command-line flags made from the fields of `Settings`: one description serves flag, variable, file key and docs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from embedway.configuration import NO_FLAGS, load_settings
from embedway.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

ENGINE = (
    "model",
    "dtype",
    "backend",
    "device",
    "truncation",
    "threads",
    "max_batch_tokens",
    "max_batch_items",
    "log_level",
    "log_format",
)
"""What commands that compute without serving take."""

STORE = ("database_url", "log_format")
"""What commands on the database take; the master keys come from the variable or the file."""


def settings_flags(names: Iterable[str] | None = None) -> Callable[[F], F]:
    """Add `--config` and a flag for each field (all by default). A flag that is not given stays out of the merge."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    chosen = [name for name in fields if name not in NO_FLAGS] if names is None else list(names)

    def decorate(command: F) -> F:
        for name in reversed(chosen):
            command = _flag(fields[name])(command)
        config = click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar="EMBEDWAY_CONFIG",
            help="TOML file with any of these settings, [[model]] and [[deployment]] tables. [EMBEDWAY_CONFIG]",
        )
        return config(command)

    return decorate


def read_settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """Settings from the file, the environment and the flags that were given."""
    given = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in flags.items()
        if value not in (None, ())
    }
    return load_settings(given, os.environ, config)


def describe(field: msgspec.structs.FieldInfo) -> str:
    """The text of a setting: what it means, its variable, its default."""
    meta: msgspec.Meta = field.type.__metadata__[0]
    silent = field.default is None or field.default is False or field.default in ((), "")
    default = "" if silent else f"; default {field.default}"
    return f"{meta.description} [EMBEDWAY_{field.name.upper()}{default}]"


def flag_name(name: str) -> str:
    return "--" + name.replace("_", "-")


def _flag(field: msgspec.structs.FieldInfo) -> Callable[[F], F]:
    flag, help_text = flag_name(field.name), describe(field)
    if field.default is False:
        switch = flag if field.name.startswith("no_") else f"{flag}/{flag.replace('--', '--no-', 1)}"
        return click.option(switch, field.name, is_flag=True, default=None, help=help_text)
    return click.option(
        flag, field.name, multiple=field.default == (), default=None, metavar=_metavar(field), help=help_text
    )


def _metavar(field: msgspec.structs.FieldInfo) -> str:
    kind = field.type.__origin__
    choices = [str(value) for one in (kind, *getattr(kind, "__args__", ())) for value in _literals(one)]
    if choices:
        return "|".join(dict.fromkeys(choices))
    return {int: "NUMBER", float: "SECONDS"}.get(kind, "TEXT")


def _literals(kind: Any) -> tuple[Any, ...]:
    values = getattr(kind, "__args__", ())
    return values if values and all(isinstance(value, str) for value in values) else ()
