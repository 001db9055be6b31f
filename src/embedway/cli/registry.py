"""`embedway models` and `embedway instances`: what is configured, and what is registered in the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from embedway.cli.options import read_settings, settings_flags
from embedway.cli.table import say
from embedway.observe import set_up_logging
from embedway.types import DEFAULT_NAMESPACE

STORE = ("database_url", "remote_timeout_s", "allow_private_urls")


@click.group(invoke_without_command=True)
@settings_flags(("model", "log_level"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--measure", is_flag=True, help="Open each model in int8 and compare its vectors with those in fp32.")
@click.option("--known", is_flag=True, help="List the service ids and bundled models that are known by name instead.")
def models(config: Path | None, as_json: bool, measure: bool, known: bool, **flags: Any) -> None:
    """List the configured models, where their files are, and what they can do; or manage registered ones.

    Downloads nothing. Without a command it does what list does.
    """
    if click.get_current_context().invoked_subcommand is None:
        _list_configured(config, as_json, measure, known, flags)


@models.command("list")
@settings_flags(("model", "log_level", "database_url"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--measure", is_flag=True, help="Open each model in int8 and compare its vectors with those in fp32.")
@click.option("--known", is_flag=True, help="List the service ids and bundled models that are known by name instead.")
@click.option("--registered", is_flag=True, help="List the models that are registered in the database instead.")
@click.option("--instance", help="Of the registered models, only those of this instance.")
def list_(
    config: Path | None, as_json: bool, measure: bool, known: bool, registered: bool, instance: str | None, **flags: Any
) -> None:
    """List models: configured, known by name, or registered."""
    if not registered:
        _list_configured(config, as_json, measure, known, flags)
        return
    from embedway.cli.registered import list_registered

    click.echo(list_registered(read_settings(config, flags), instance, as_json))


@models.command()
@settings_flags(STORE)
@click.argument("name")
@click.option("--instance", default=DEFAULT_NAMESPACE, show_default=True, help="Where to register it.")
@click.option(
    "--file",
    "source",
    type=click.File(encoding="utf-8"),
    help="A definition in JSON, as the registry's API takes it; - for standard input.",
)
@click.option("--url", help="The service's URL.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["text_embedding", "text_sparse_embedding", "image_embedding", "image_analyze"]),
    help="What it does; text_embedding by default.",
)
@click.option("--method", type=click.Choice(["POST", "PUT"]), help="POST by default.")
@click.option("--body", help='Template of the body, such as {"input": ["%{input}"]}.')
@click.option("--response", help="JSONPath of the results, such as $.data[*].embedding.")
@click.option("--dimension", type=click.IntRange(1), help="Length of the vectors.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header to send. May hold a secret.")
@click.option("--build", "build", multiple=True, metavar="NAME=VALUE", help="A variable's value for documents.")
@click.option("--search", "search", multiple=True, metavar="NAME=VALUE", help="A variable's value for queries.")
@click.option("--dry-run", is_flag=True, help="Check and probe it, and register nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was registered as one JSON object.")
def add(config: Path | None, name: str, instance: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Register the model NAME behind a URL: from a file, from options, or a file with some keys replaced."""
    from embedway.cli.registered import add_model, read_content

    settings = read_settings(config, {key: options.pop(key) for key in STORE})
    click.echo(add_model(settings, instance, name, read_content(**options), dry_run, as_json))


@models.command()
@settings_flags(STORE)
@click.argument("name")
@click.option("--instance", default=DEFAULT_NAMESPACE, show_default=True, help="Where it is registered.")
@click.option("--json", "as_json", is_flag=True, help="On one line.")
def show(config: Path | None, name: str, instance: str, as_json: bool, **flags: Any) -> None:
    """Print the registered model NAME as the registry's API shows it: secrets are masked."""
    from embedway.cli.registered import show_model

    click.echo(show_model(read_settings(config, flags), instance, name, as_json))


@models.command()
@settings_flags(STORE)
@click.argument("name")
@click.option("--instance", default=DEFAULT_NAMESPACE, show_default=True, help="Where it is registered.")
@click.option("--text", default="hello", show_default=True, help="What to send; for images a URL or base64.")
@click.option(
    "--phase",
    type=click.Choice(["search", "build"]),
    default="search",
    show_default=True,
    help="Whether to ask as for a query or as for a document.",
)
@click.option("--json", "as_json", is_flag=True, help="All that was sent and came back, as one JSON object.")
def test(config: Path | None, name: str, instance: str, text: str, phase: Any, as_json: bool, **flags: Any) -> None:
    """Send one text to the registered model NAME and say what came back. Exits with 1 when that is no result."""
    from embedway.cli.registered import test_model

    said, good = test_model(read_settings(config, flags), instance, name, text, phase, as_json)
    click.echo(said)
    if not good:
        raise SystemExit(1)


@models.command()
@settings_flags(("database_url",))
@click.argument("name")
@click.option("--instance", default=DEFAULT_NAMESPACE, show_default=True, help="Where it is registered.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def remove(config: Path | None, name: str, instance: str, as_json: bool, **flags: Any) -> None:
    """Remove the registered model NAME; servers on this database let go of it within a second."""
    from embedway.cli.registered import remove_model

    remove_model(read_settings(config, flags), instance, name)
    said = f"The model '{name}' of the instance '{instance}' is removed."
    click.echo(say(said, as_json, name=name, instance=instance, removed=True))


@click.group()
def instances() -> None:
    """Add, list and remove the instances of the database, in which models are registered."""


@instances.command("add")
@settings_flags(("database_url",))
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def add_instance(config: Path | None, name: str, as_json: bool, **flags: Any) -> None:
    """Add the instance ID, also for servers that run."""
    from embedway.cli.registered import add_instance

    add_instance(read_settings(config, flags), name)
    click.echo(say(f"The instance '{name}' exists now.", as_json, id=name, added=True))


@instances.command("list")
@settings_flags(("database_url",))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_instances(config: Path | None, as_json: bool, **flags: Any) -> None:
    """List the instances of the configuration and of the database, and how many models each has."""
    from embedway.cli.registered import list_instances

    click.echo(list_instances(read_settings(config, flags), as_json))


@instances.command("remove")
@settings_flags(("database_url",))
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def remove_instance(config: Path | None, name: str, as_json: bool, **flags: Any) -> None:
    """Remove the instance ID of the database, which must have no models."""
    from embedway.cli.registered import remove_instance

    remove_instance(read_settings(config, flags), name)
    click.echo(say(f"The instance '{name}' is removed.", as_json, id=name, removed=True))


def _list_configured(config: Path | None, as_json: bool, measure: bool, known: bool, flags: dict[str, Any]) -> None:
    from embedway.cli.models import list_known, list_models

    if known:
        click.echo(list_known(as_json))
        return
    settings = read_settings(config, flags)
    set_up_logging(settings.log_level, settings.log_format)
    click.echo(list_models(settings, as_json, measure))
