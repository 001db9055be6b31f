"""`embedway deployments`: custom deployments, of the configuration and of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from embedway.cli.options import read_settings, settings_flags
from embedway.types import DEFAULT_NAMESPACE

_DATABASE = settings_flags(("database_url",))
_WORKSPACE = click.option("--workspace", default=DEFAULT_NAMESPACE, show_default=True, help="Whose deployment it is.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group()
def deployments() -> None:
    """Make, list, stop, start and remove custom deployments: a model under an id and a token of its own."""


@deployments.command()
@_DATABASE
@click.argument("name")
@click.option("--model", required=True, help="The model that answers; it must be served when the deployment is called.")
@click.option(
    "--task",
    type=click.Choice(["embedding", "rerank", "multimodal"]),
    default="embedding",
    show_default=True,
    help="What it is for.",
)
@_WORKSPACE
@click.option("--description", default="", help="What it is for, in words.")
@_JSON
def create(config: Path | None, database_url: str | None, as_json: bool, **options: Any) -> None:
    """Make the deployment NAME and print its token, which is never shown again."""
    from embedway.cli.deploying import make

    click.echo(make(read_settings(config, {"database_url": database_url}), as_json=as_json, **options))
    if not as_json:
        click.echo("Keep the token now: it is not shown again.", err=True)


@deployments.command("list")
@_DATABASE
@click.option("--workspace", help="Only those of this workspace.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(config: Path | None, database_url: str | None, workspace: str | None, as_json: bool) -> None:
    """List the deployments of the configuration and of the database, without their tokens."""
    from embedway.cli.deploying import list_all

    shown = list_all(read_settings(config, {"database_url": database_url}), workspace, as_json)
    click.echo(shown, nl=bool(shown))


@deployments.command()
@_DATABASE
@click.argument("name")
@_WORKSPACE
@_JSON
def cease(config: Path | None, database_url: str | None, name: str, workspace: str, as_json: bool) -> None:
    """Stop the deployment NAME, on every server that uses this database, within a second."""
    from embedway.cli.deploying import switch

    click.echo(switch(read_settings(config, {"database_url": database_url}), workspace, name, False, as_json))


@deployments.command()
@_DATABASE
@click.argument("name")
@_WORKSPACE
@_JSON
def resume(config: Path | None, database_url: str | None, name: str, workspace: str, as_json: bool) -> None:
    """Start the deployment NAME again."""
    from embedway.cli.deploying import switch

    click.echo(switch(read_settings(config, {"database_url": database_url}), workspace, name, True, as_json))


@deployments.command()
@_DATABASE
@click.argument("name")
@_WORKSPACE
@_JSON
def remove(config: Path | None, database_url: str | None, name: str, workspace: str, as_json: bool) -> None:
    """Remove the deployment NAME."""
    from embedway.cli.deploying import drop

    click.echo(drop(read_settings(config, {"database_url": database_url}), workspace, name, as_json))


@click.command()
@_DATABASE
@click.option("--since", metavar="TIME", help="How far back, such as 90d, 12h, 30m or 45s; else from the beginning.")
@click.option("--subject", default="", help="Only what was done to things whose name holds this, such as api-key/.")
@click.option("--limit", type=click.IntRange(1), help="Only the newest of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def audit(
    config: Path | None, database_url: str | None, since: str | None, subject: str, limit: int | None, as_json: bool
) -> None:
    """List who changed which model, key, workspace or deployment, the oldest first, with the request's id."""
    from embedway.cli.auditing import list_events

    settings = read_settings(config, {"database_url": database_url})
    shown = list_events(settings, since, subject, limit, as_json)
    click.echo(shown, nl=bool(shown))
