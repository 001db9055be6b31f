"""The command `embedway`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from embedway import __version__
from embedway.cli.options import ENGINE, read_settings, settings_flags
from embedway.configuration import check_serving, warn_unknown
from embedway.errors import EmbedwayError, ModelFilesError
from embedway.observe import set_up_logging

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
    check_serving(settings)
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
@settings_flags(("model", "log_level"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--measure", is_flag=True, help="Open each model in int8 and compare its vectors with those in fp32.")
@click.option("--known", is_flag=True, help="List the service ids and bundled models that are known by name instead.")
def models(config: Path | None, as_json: bool, measure: bool, known: bool, **flags: Any) -> None:
    """List the configured models, where their files are, and what they can do. Downloads nothing."""
    from embedway.cli.models import list_known, list_models

    if known:
        click.echo(list_known(as_json))
        return
    settings = read_settings(config, flags)
    set_up_logging(settings.log_level, settings.log_format)
    click.echo(list_models(settings, as_json, measure))


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--revision", help="A commit, branch or tag of the hub, for all of them.")
def pull(names: tuple[str, ...], revision: str | None) -> None:
    """Fetch models into the model cache, by service id, bundled name or hub id. What is there is not fetched again."""
    from embedway.cli import pull as fetching

    for line in fetching.pull(names, revision):
        click.echo(line)


@cli.group()
def reduce() -> None:
    """Shorter vectors that keep their neighbours: train a reduction on your own texts, and see what it is worth."""


@reduce.command("train")
@settings_flags(ENGINE)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Texts, or vectors under the key 'embedding': a .jsonl, .parquet or .npy file, larger than memory if need be.",
)
@click.option("--field", default="text", show_default=True, help="The key of a row that holds the text.")
@click.option(
    "--dimension", type=click.IntRange(1), required=True, help="The length that is given if none is asked for."
)
@click.option("--name", required=True, help="What the reduction is called.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to write; by default the name."
)
@click.option(
    "--method",
    type=click.Choice(["nested", "pca"]),
    default="nested",
    show_default=True,
    help="Trained for all lengths at once, or principal components.",
)
@click.option("--whiten", is_flag=True, help="With pca: centred, every component with the same variance.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Equal seeds give equal results.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Of the nested training: with fewer it is quicker, and keeps less.",
)
@click.option("--progress/--no-progress", default=None, help="The progress bars; by default shown on a terminal.")
def reduce_train(config: Path | None, **options: Any) -> None:
    """Train a reduction from a file of texts or vectors."""
    from embedway.cli.reduce import Asked, is_named, train_from

    names = ("data", "field", "dimension", "name", "output", "method", "whiten", "seed", "steps", "progress")
    own = {name: options.pop(name) for name in names}
    named = is_named(config, options["model"])
    settings = read_settings(config, options)
    set_up_logging("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    logging.getLogger("embedway.engine").setLevel(logging.CRITICAL)  # the error that ends the command says it all
    click.echo(train_from(settings, Asked(named=named, **own)))


@reduce.command("report")
@click.argument("artefact", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    help="The HTML page to write.",
)
def reduce_report(artefact: Path, output: Path) -> None:
    """Write a page with plots of what a trained reduction is worth. It opens offline."""
    from embedway.reduce.report import write_report

    write_report(artefact, output)
    click.echo(f"The report is in {output}.")


def main() -> None:
    """Run the command; a failure that the user can mend is one sentence, not a stack."""
    try:
        cli()
    except EmbedwayError as error:
        click.echo(f"embedway: {error.message}", err=True)
        sys.exit(MODEL_FAILED if isinstance(error, ModelFilesError) else SETUP_FAILED)
