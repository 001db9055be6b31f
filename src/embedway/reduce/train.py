"""From a file's rows to an artefact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from embedway import __version__
from embedway.errors import InvalidInput, SettingsError
from embedway.models.reduction import FORMAT, Base, Card, Data, Method
from embedway.reduce import components
from embedway.reduce.components import Map
from embedway.reduce.nested import Plan, Progress, train_nested
from embedway.reduce.quality import NEIGHBOURS, measure, sizes
from embedway.reduce.rows import Block, Refusals, Rows
from embedway.reduce.sample import Stream
from embedway.vectors import Floats

ROWS_PER_DIMENSION = 4
"""Rows that are needed, for each number of a vector: with fewer, the map would learn the sample by heart."""
LEAST_ROWS = 256
"""Rows that are needed in any case: some are held out to measure with."""
LEAST_HELD_OUT = NEIGHBOURS + 1

Embed = Callable[[Sequence[str]], tuple[Floats, Sequence[tuple[int, str]]]]
"""Texts -> the vectors of those that could be embedded, and place and reason of those that could not."""


class Told(Protocol):
    """Who is told how far it is."""

    def rows(self, count: int) -> None:
        """So many more rows were read."""

    def steps(self, done: int, total: int) -> None:
        """So many of the training's steps are done."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be trained. `base` None: vectors of no named model. `width` None: that of the first vector."""

    name: str
    dimension: int
    method: Method = "nested"
    whiten: bool = False
    base: Base | None = None
    width: int | None = None
    seed: int = 0
    plan: Plan = field(default_factory=Plan)


def check_job(job: Job) -> None:
    """Raise `SettingsError` for what contradicts itself, before anything is read."""
    if job.whiten and job.method != "pca":
        raise SettingsError("--whiten belongs to --method pca: nested finds its own scales.")
    if job.width is not None and not 1 <= job.dimension <= job.width:
        raise SettingsError(f"--dimension must be between 1 and {job.width}, the base's, not {job.dimension}.")


def train(rows: Rows, job: Job, embed: Embed | None, told: Told) -> tuple[Card, Map]:
    """Read all rows once, learn, measure on rows that were held out.

    Raises `InvalidInput` where the data is too little or too uniform, `SettingsError` where it cannot be read or does
    not belong to the base.
    """
    check_job(job)
    stream = _read(rows, job, embed, told)
    _check_amount(stream, rows.refusals)
    _check_dimension(job, stream.width)
    components.check_variety(stream.covariance, job.dimension)
    start = components.about_zero(stream.moments)
    learned = _learn(stream, job, start, told.steps)
    return _card(stream, rows, job, start, learned), learned


def _read(rows: Rows, job: Job, embed: Embed | None, told: Told) -> Stream:
    stream: Stream | None = None
    for block in rows:
        vectors = _vectors(block, rows.refusals, embed)
        if len(vectors):
            stream = stream or _open_stream(vectors.shape[1], job)
            stream.add(vectors)
        told.rows(len(block.numbers))
    if stream is None:
        raise InvalidInput(f"There is no row to learn from. {rows.refusals}".rstrip())
    return stream


def _vectors(block: Block, refusals: Refusals, embed: Embed | None) -> Floats:
    if block.vectors is not None:
        return block.vectors
    if embed is None:
        raise SettingsError("The rows are texts: name the model that embeds them with --model.")
    vectors, faults = embed(block.texts or ())
    for place, reason in faults:
        refusals.add(block.numbers[place], reason)
    return vectors


def _open_stream(width: int, job: Job) -> Stream:
    if job.width is not None and width != job.width and job.base is not None:
        raise SettingsError(
            f"The vectors have {width} numbers, and those of '{job.base.model}' have {job.width}: they are not its."
        )
    return Stream(width, job.seed)


def _check_dimension(job: Job, width: int) -> None:
    if not 1 <= job.dimension <= width:
        raise SettingsError(f"--dimension must be between 1 and {width}, the vectors', not {job.dimension}.")


def _check_amount(stream: Stream, refusals: Refusals) -> None:
    needed = max(LEAST_ROWS, ROWS_PER_DIMENSION * stream.width)
    if stream.rows < needed:
        raise InvalidInput(
            f"There are {stream.rows} rows, and {needed} are needed: {ROWS_PER_DIMENSION} for each of the "
            f"{stream.width} numbers of a vector, and at least {LEAST_ROWS}. {refusals}".rstrip()
        )
    distinct = len(stream.trained.rows) + len(stream.held_out.rows)
    if distinct == 1:
        raise InvalidInput(components.SAME)
    if distinct < stream.width or len(stream.held_out.rows) < LEAST_HELD_OUT:
        raise InvalidInput(
            f"Of {stream.rows} vectors only {distinct} are distinct: that is too little to learn from and to measure "
            f"with. {refusals}".rstrip()
        )


def _learn(stream: Stream, job: Job, start: Map, progress: Progress) -> Map:
    if job.method == "nested":
        return train_nested(stream.trained.rows, start, job.seed, job.plan, progress)
    return components.about_mean(stream.covariance, stream.mean, whiten=True) if job.whiten else start


def _card(stream: Stream, rows: Rows, job: Job, start: Map, learned: Map) -> Card:
    shares = components.explained(stream.covariance)
    return Card(
        format=FORMAT,
        name=job.name,
        method=job.method,
        whitened=job.whiten,
        width=stream.width,
        dimension=job.dimension,
        base=job.base,
        data=Data(
            digest=rows.digest,
            rows=stream.rows,
            refused=rows.refusals.count,
            trained=len(stream.trained.rows),
            held_out=len(stream.held_out.rows),
        ),
        quality=measure(stream.held_out.rows, learned.apply, start.apply, sizes(stream.width, job.dimension)),
        explained=[round(float(share), 6) for share in shares],
        seed=job.seed,
        versions={"embedway": __version__, "numpy": np.__version__},
    )
