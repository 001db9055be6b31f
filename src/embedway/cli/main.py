"""The command `embedway`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from embedway import __version__
from embedway.cli.deployments import audit, deployments
from embedway.cli.jobs import jobs
from embedway.cli.keys import keys
from embedway.cli.options import ENGINE, STORE, read_settings, settings_flags
from embedway.cli.reduce import reduce
from embedway.cli.registry import instances, models
from embedway.cli.usage import usage
from embedway.configuration import check_serving, warn_unknown
from embedway.errors import EmbedwayError, ModelFilesError
from embedway.observe import set_up_logging
from embedway.settings import Settings

SETUP_FAILED = 2
"""Exit status when the configuration or the command line is at fault: a supervisor need not try again."""
MODEL_FAILED = 1
"""Exit status when a model cannot be had or opened."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="embedway")
def cli() -> None:
    """A self-hosted server for embeddings that speaks the APIs you already use.

    Settings come from defaults, a TOML file, EMBEDWAY_* variables and flags; the later wins.
    """


@cli.command()
@settings_flags()
def serve(config: Path | None, **flags: Any) -> None:
    """Serve models over HTTP."""
    settings = read_settings(config, flags)
    from embedway.http.storage import stored

    check_serving(settings, stored(settings))
    set_up_logging(settings.log_level, settings.log_format)
    if settings.supervise:
        from embedway.cli.supervise import supervise

        command = [sys.executable, "-P", "-m", "embedway", *sys.argv[1:], "--no-supervise"]
        sys.exit(supervise(command, settings.drain_timeout_s, renews=config is not None))
    warn_unknown(os.environ)
    from embedway.cli.serve import run_server

    sys.exit(run_server(settings, (lambda: read_settings(config, flags)) if config else None))


@cli.command()
@settings_flags(ENGINE)
@click.argument("texts", nargs=-1)
@click.option(
    "--input",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .jsonl file, or a text file with one text a line.",
)
@click.option("--field", default="text", show_default=True, help="The key of a JSONL line that holds the text.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .jsonl or .npy file; JSONL on standard output by default.",
)
@click.option(
    "--role",
    type=click.Choice(["query", "document"]),
    default="document",
    show_default=True,
    help="How the texts will be used.",
)
@click.option("--dimensions", type=click.IntRange(1), help="Shorter vectors, where the model was trained for it.")
@click.option("--progress/--no-progress", default=None, help="The progress bar; by default shown on a terminal.")
def embed(
    config: Path | None, texts: tuple[str, ...], source: Path | None, output: Path | None, **options: Any
) -> None:
    """Embed TEXTS, or the lines of a file, without a server."""
    from embedway.cli.embed import Job, run_job

    own = {name: options.pop(name) for name in ("field", "role", "dimensions", "progress")}
    settings = read_settings(config, options)
    set_up_logging("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    logging.getLogger("embedway.engine").setLevel(logging.CRITICAL)  # the error that ends the command says it all
    run_job(settings, Job(texts=texts, source=source, output=output, **own))


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--revision", help="A commit, branch or tag of the hub, for all of them.")
def pull(names: tuple[str, ...], revision: str | None) -> None:
    """Fetch models into the model cache, by service id, bundled name or hub id. What is there is not fetched again."""
    from embedway.cli import pull as fetching

    for line in fetching.pull(names, revision):
        click.echo(line)


@cli.command()
@settings_flags(STORE)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def backup(config: Path | None, file: Path, as_json: bool, **flags: Any) -> None:
    """Write all that the database holds into FILE, while servers go on. The master key is not in it."""
    from embedway.cli import store

    click.echo(store.backup(_quiet_settings(config, flags), file, as_json))


@cli.command()
@settings_flags(STORE)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Remove what the database holds; else only an empty one is filled.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def restore(config: Path | None, file: Path, replace: bool, as_json: bool, **flags: Any) -> None:
    """Fill the database from a backup of SQLite or PostgreSQL: all of it or, where anything is wrong, nothing."""
    from embedway.cli import store

    click.echo(store.restore(_quiet_settings(config, flags), file, replace, as_json))


@cli.command()
@settings_flags(STORE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def reseal(config: Path | None, as_json: bool, **flags: Any) -> None:
    """Encrypt the stored secrets by the first of EMBEDWAY_MASTER_KEY, so that the others can be dropped."""
    from embedway.cli import store

    click.echo(store.reseal(_quiet_settings(config, flags), as_json))


def _quiet_settings(config: Path | None, flags: dict[str, Any]) -> Settings:
    """The settings of a command that answers in one sentence: beside it only what went wrong is logged."""
    settings = read_settings(config, flags)
    set_up_logging("warning", settings.log_format)
    return settings


for command in (models, instances, deployments, keys, audit, usage, jobs, reduce):
    cli.add_command(command)


def main() -> None:
    """Run the command; a failure that the user can mend is one sentence, not a stack."""
    try:
        cli()
    except EmbedwayError as error:
        click.echo(f"embedway: {error.message}", err=True)
        sys.exit(MODEL_FAILED if isinstance(error, ModelFilesError) else SETUP_FAILED)
