"""`embedway reduce`: train a reduction, and show what it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from embedway.cli.options import ENGINE, read_settings, settings_flags
from embedway.observe import set_up_logging


@click.group()
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
    default=1500,
    show_default=True,
    help="Of the nested training: with fewer it is quicker, and keeps less.",
)
@click.option("--progress/--no-progress", default=None, help="The progress bars; by default shown on a terminal.")
def reduce_train(config: Path | None, **options: Any) -> None:
    """Train a reduction from a file of texts or vectors."""
    from embedway.cli.training import Asked, is_named, train_from

    names = ("data", "field", "dimension", "name", "output", "method", "whiten", "seed", "steps", "progress")
    own = {name: options.pop(name) for name in names}
    named = is_named(config, options["model"])
    settings = read_settings(config, options)
    set_up_logging("warning" if settings.log_level == "info" else settings.log_level, settings.log_format)
    logging.getLogger("embedway.engine").setLevel(logging.CRITICAL)  # the error that ends the command says it all
    asked = Asked(named=named, **own)
    for line in train_from(settings, asked):
        click.echo(line)
    click.echo(f"The reduction is in {asked.output or Path(asked.name)}.")


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
