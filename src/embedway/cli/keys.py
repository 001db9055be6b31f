"""`embedway keys`: make, list and revoke the access keys that sign requests."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from embedway.access.accesskeys import make_pair
from embedway.access.policy import read_permission
from embedway.cli.options import read_settings, settings_flags
from embedway.cli.table import render
from embedway.cli.user import who
from embedway.errors import InvalidInput, SettingsError
from embedway.settings import Permission, Settings

if TYPE_CHECKING:
    from embedway.access.records import KeyRow

_COLUMNS = ("id", "state", "permissions", "note", "created", "expires", "last_used", "origin")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 36_500 * 86_400
_ALL = (Permission(),)


@click.group()
def keys() -> None:
    """Make, list and revoke access keys, whose secrets sign requests (ACS3-HMAC-SHA256, ACS4-HMAC-SHA256)."""


@keys.command()
@settings_flags(("database_url",))
@click.option("--access-key", is_flag=True, help="Make an access key: an id and a secret. It must be given.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    metavar="ACTION[@RESOURCE]",
    help="What the key may do, such as searchengine:*@acs:searchengine:*:*:instance/ha-cn-x; without any, everything.",
)
@click.option("--expires-in", metavar="TIME", help="How long the key is good for, such as 90d or 12h; else for ever.")
@click.option("--note", default="", help="What the key is for; shown by list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def create(config: Path | None, database_url: str | None, access_key: bool, as_json: bool, **options: Any) -> None:
    """Make an access key and print its id and secret, which is never shown again."""
    if not access_key:
        raise SettingsError(
            "keys create makes access keys so far: give --access-key. API keys are set with EMBEDWAY_API_KEY."
        )
    print_new(read_settings(config, {"database_url": database_url}), as_json=as_json, **options)


@keys.command("list")
@settings_flags(("database_url",))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, database_url: str | None, as_json: bool) -> None:
    """List the access keys of the configuration and of the database, without their secrets."""
    click.echo(list_keys(read_settings(config, {"database_url": database_url}), as_json))


@keys.command()
@settings_flags(("database_url",))
@click.argument("key_id", metavar="ID")
def revoke(config: Path | None, database_url: str | None, key_id: str) -> None:
    """Refuse an access key from now on, on every server that uses this database."""
    revoke_stored(read_settings(config, {"database_url": database_url}), key_id)
    click.echo(f"The access key {key_id} is revoked.")


def print_new(settings: Settings, permissions: Sequence[str], expires_in: str | None, note: str, as_json: bool) -> None:
    """Store a new key and print it. Raises `SettingsError`, `StoreUnavailable`."""
    from embedway.access.records import add_key
    from embedway.store.database import open_database
    from embedway.store.vault import open_vault

    expires_s = None if expires_in is None else time.time() + read_seconds(expires_in)
    pair = make_pair(tuple(map(_permission, permissions)) or _ALL, expires_s)
    with closing(open_database(settings)) as database:
        sealed = open_vault(settings, database).seal(pair.secret)
        database.run_now(partial(add_key, pair=pair, sealed=sealed, note=note, who=who()))
    if as_json:
        shown = {"id": pair.id, "secret": pair.secret, "expires": _moment(expires_s)}
        click.echo(json.dumps(shown))
        return
    click.echo(f"id:      {pair.id}\nsecret:  {pair.secret}")
    click.echo("Keep the secret now: it is not shown again.", err=True)


def list_keys(settings: Settings, as_json: bool) -> str:
    """A table, or one JSON object a line. Raises `StoreUnavailable`."""
    from embedway.access.records import read_keys
    from embedway.store.database import open_database

    with closing(open_database(settings)) as database:
        stored = database.run_now(read_keys, reads=True)
    configured = [
        dict.fromkeys(_COLUMNS)
        | {"id": key.id, "state": "active", "permissions": _permissions(key.permission), "origin": "configuration"}
        for key in settings.access_key
    ]
    return render(_COLUMNS, [*configured, *map(_row, stored)], as_json)


def revoke_stored(settings: Settings, key_id: str) -> None:
    """Raises `SettingsError` where there is no such key to revoke, `StoreUnavailable`."""
    from embedway.access.records import revoke_key
    from embedway.store.database import open_database

    if any(key.id == key_id for key in settings.access_key):
        raise SettingsError(f"The access key '{key_id}' is one of the configuration: take it out there.")
    with closing(open_database(settings)) as database:
        if not database.run_now(partial(revoke_key, key_id=key_id, who=who())):
            raise SettingsError(f"There is no access key '{key_id}' to revoke: 'embedway keys list' shows all.")


def read_seconds(given: str) -> float:
    """`90d`, `12h`, `30m` or `45s` in seconds. Raises `SettingsError`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", given.strip().lower())
    seconds = float(int(found[1]) * _UNITS[found[2]]) if found else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise SettingsError(f"--expires-in must read like 90d, 12h, 30m or 45s, up to 36500d, not '{given}'.")
    return seconds


def _permission(given: str) -> Permission:
    try:
        return read_permission(given)
    except InvalidInput as error:
        raise SettingsError(f"--permission: {error.message}") from error


def _row(key: KeyRow) -> dict[str, Any]:
    expired = key.expires_s is not None and key.expires_s <= time.time()
    return {
        "id": key.id,
        "state": "revoked" if key.revoked else "expired" if expired else "active",
        "permissions": _permissions(key.permissions),
        "note": key.note or None,
        "created": _moment(key.created_s),
        "expires": _moment(key.expires_s),
        "last_used": _moment(key.last_used_s),
        "origin": "database",
    }


def _permissions(given: Sequence[Permission]) -> str:
    return " ".join(f"{','.join(one.action)}@{','.join(one.resource)}" for one in given)


def _moment(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
