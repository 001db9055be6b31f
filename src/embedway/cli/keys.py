"""`embedway keys`: API keys, which callers show, and access keys, whose secrets sign requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from embedway.cli.options import read_settings, settings_flags
from embedway.errors import SettingsError

_DATABASE = settings_flags(("database_url",))
_TIME = "such as 90d, 12h, 30m or 45s"


@click.group()
def keys() -> None:
    """Make, list and revoke API keys, admin keys and access keys.

    Callers show an API key as a bearer token; an admin key may also manage models, keys and deployments. An access key
    is an id and a secret that signs requests (ACS3-HMAC-SHA256, ACS4-HMAC-SHA256).
    """


@keys.command()
@_DATABASE
@click.option("--access-key", is_flag=True, help="Make an access key, an id and a secret, instead of an API key.")
@click.option("--admin", is_flag=True, help="Make an API key that may also manage.")
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    help="Workspace that the API key is for, several times for more; without any, all.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="PATTERN",
    help="Models that the API key may use, such as ops-text-*; without any, all.",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="PATTERN",
    help="What the API key may do, such as searchplat:GetText*; without any, everything.",
)
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    metavar="ACTION[@RESOURCE]",
    help="What the access key may do, such as searchengine:*@acs:searchengine:*:*:instance/ha-cn-x; without any, all.",
)
@click.option("--expires-in", metavar="TIME", help=f"How long the key is good for, {_TIME}; else for ever.")
@click.option("--note", default="", help="What the key is for; shown by list.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def create(config: Path | None, database_url: str | None, access_key: bool, as_json: bool, **options: Any) -> None:
    """Make an API key and print it; it is never shown again.

    The first one closes a server that was open without keys.
    """
    from embedway.cli import keystore

    settings = read_settings(config, {"database_url": database_url})
    permissions = options.pop("permissions")
    own = {name: options.pop(name) for name in ("admin", "workspaces", "models", "actions")}
    if access_key:
        if any(own.values()):
            raise SettingsError("Bound an access key by --permission, not by --admin, --workspace, --model, --action.")
        click.echo(keystore.make_access_key(settings, permissions, as_json=as_json, **options))
    else:
        if permissions:
            raise SettingsError("--permission is for access keys: bound an API key by --workspace, --model, --action.")
        click.echo(keystore.make_api_key(settings, **own, as_json=as_json, **options))
    if not as_json:
        click.echo("Keep the secret now: it is not shown again.", err=True)


@keys.command("list")
@_DATABASE
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, database_url: str | None, as_json: bool) -> None:
    """List the keys of the configuration and of the database, without their secrets."""
    from embedway.cli.keystore import list_keys

    shown = list_keys(read_settings(config, {"database_url": database_url}), as_json)
    click.echo(shown, nl=bool(shown))


@keys.command()
@_DATABASE
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def revoke(config: Path | None, database_url: str | None, key_id: str, as_json: bool) -> None:
    """Refuse a key from now on, on every server that uses this database, within a second."""
    from embedway.cli.keystore import revoke_stored

    click.echo(revoke_stored(read_settings(config, {"database_url": database_url}), key_id, as_json))


@keys.command()
@_DATABASE
@click.argument("key_id", metavar="ID")
@click.option("--overlap", default="24h", show_default=True, metavar="TIME", help=f"How long both are good, {_TIME}.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def rotate(config: Path | None, database_url: str | None, key_id: str, overlap: str, as_json: bool) -> None:
    """Make a key that reaches as far as the API key ID, which ends after the overlap."""
    from embedway.cli.keystore import rotate_stored

    settings = read_settings(config, {"database_url": database_url})
    click.echo(rotate_stored(settings, key_id, overlap, as_json))
    if not as_json:
        click.echo("Keep the secret now: it is not shown again.", err=True)


@keys.command()
@_DATABASE
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def disable(config: Path | None, database_url: str | None, key_id: str, as_json: bool) -> None:
    """Refuse the API key ID until it is enabled again."""
    from embedway.cli.keystore import switch_stored

    click.echo(switch_stored(read_settings(config, {"database_url": database_url}), key_id, False, as_json))


@keys.command()
@_DATABASE
@click.argument("key_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def enable(config: Path | None, database_url: str | None, key_id: str, as_json: bool) -> None:
    """Take the API key ID again."""
    from embedway.cli.keystore import switch_stored

    click.echo(switch_stored(read_settings(config, {"database_url": database_url}), key_id, True, as_json))
