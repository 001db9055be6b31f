"""Training a reduction as a command: the model that embeds, the progress, what is told at the end."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from embedway.engine.engine import LocalEngine
from embedway.errors import InvalidInput, ModelFailed, SettingsError
from embedway.models.reduction import Base, Card, Method
from embedway.observe import Metrics
from embedway.reduce.artefact import check_target, write_artefact
from embedway.reduce.nested import Plan
from embedway.reduce.rows import Rows, kind_of
from embedway.reduce.train import Job, Told, check_job, train
from embedway.settings import Settings
from embedway.types import EmbedCall, Output, Text
from embedway.vectors import Floats

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. `named` tells whether a model was named, or the default one is meant."""

    data: Path
    field: str
    dimension: int
    name: str
    output: Path | None
    method: Method
    whiten: bool
    seed: int
    steps: int
    progress: bool | None
    named: bool


def train_from(settings: Settings, asked: Asked, told: Told | None = None) -> Sequence[str]:
    """Train and write; returns what to tell, line by line. Without `told`, bars show how far it is.

    Raises `EmbedwayError` with one sentence; then nothing is written.
    """
    if not _NAME.fullmatch(asked.name) or asked.name.startswith("."):
        raise SettingsError("--name may hold A-Z a-z 0-9 . _ - only, and not begin with a dot.")
    embeds = asked.named or kind_of(asked.data, asked.field) == "text"
    if embeds and len(settings.model) != 1:
        raise SettingsError("embedway reduce works with one model: name it with --model.")
    folder = asked.output or Path(asked.name)
    check_target(folder)
    rows = Rows(asked.data, asked.field)
    with asyncio.Runner() as runner, _Bars(asked.progress) as bars:
        if embeds:
            with _engine(settings, runner) as engine:
                embedder = _Embedder(engine, runner, settings.model[0].name)
                base = Base(settings.model[0].source, embedder.revision)
                card, learned = train(rows, _job(asked, base, embedder.width), embedder, told or bars)
        else:
            card, learned = train(rows, _job(asked, None, None), None, told or bars)
    write_artefact(folder, card, learned)
    return [*_told(card), *filter(None, [str(rows.refusals)])]


def _job(asked: Asked, base: Base | None, width: int | None) -> Job:
    job = Job(asked.name, asked.dimension, asked.method, asked.whiten, base, width, asked.seed, Plan(steps=asked.steps))
    check_job(job)
    return job


def _told(card: Card) -> Iterator[str]:
    data = card.data
    yield f"{data.rows} rows, trained on {data.trained}, measured with {data.held_out} others. Neighbours kept, of 10:"
    yield f"{'dimensions':>12}{'this':>9}{'PCA':>9}{'cut':>9}"
    for one in card.quality:
        yield f"{one.dimensions:>12}{one.recall:>9.1%}{one.pca:>9.1%}{one.cut:>9.1%}"


@contextmanager
def _engine(settings: Settings, runner: asyncio.Runner) -> Iterator[LocalEngine]:
    from embedway.cli.serve import build_engine  # with a web server, which vectors do not need

    async def start() -> LocalEngine:
        engine = build_engine(settings, Metrics())
        await engine.start()
        return engine

    engine = runner.run(start())
    try:
        yield engine
    finally:
        runner.run(engine.stop())


class _Embedder:
    """Texts through the engine, block by block. A text that cannot be embedded is named, and the others go on."""

    def __init__(self, engine: LocalEngine, runner: asyncio.Runner, model: str) -> None:
        facts = engine.models()[0].facts
        if facts is None or Output.DENSE not in facts.outputs:
            raise SettingsError(f"The model '{model}' gives no vectors: there is nothing to reduce.")
        if facts.full_dimensions:
            raise SettingsError(f"The vectors of '{model}' are reduced already: name the model without the reduction.")
        self.revision, self.width = facts.revision, facts.dimensions
        self._engine, self._runner, self._model = engine, runner, model

    def __call__(self, texts: Sequence[str]) -> tuple[Floats, Sequence[tuple[int, str]]]:
        try:
            return self._runner.run(self._embed(texts)), ()
        except (InvalidInput, ModelFailed):
            return self._one_by_one(texts)

    async def _embed(self, texts: Sequence[str]) -> Floats:
        result = await self._engine.embed(EmbedCall(self._model, [Text(text) for text in texts]))
        return np.stack(result.vectors)

    def _one_by_one(self, texts: Sequence[str]) -> tuple[Floats, Sequence[tuple[int, str]]]:
        vectors: list[Floats] = []
        faults: list[tuple[int, str]] = []
        for place, text in enumerate(texts):
            try:
                vectors.append(self._runner.run(self._embed([text]))[0])
            except (InvalidInput, ModelFailed) as error:
                faults.append((place, error.message.rstrip(".")))
        return np.stack(vectors) if vectors else np.empty((0, self.width), dtype=np.float32), faults


class _Bars:
    """How far it is, on standard error."""

    def __init__(self, shown: bool | None) -> None:
        self._off = not (sys.stderr.isatty() if shown is None else shown)
        self._reading: Any = None
        self._training: Any = None

    def __enter__(self) -> _Bars:
        self._reading = tqdm(unit="row", desc="reading", disable=self._off)
        return self

    def __exit__(self, *error: object) -> None:
        for bar in (self._reading, self._training):
            if bar is not None:
                bar.close()

    def rows(self, count: int) -> None:
        self._reading.update(count)

    def steps(self, done: int, total: int) -> None:
        if self._training is None:
            self._reading.close()
            self._training = tqdm(total=total, unit="step", desc="training", disable=self._off)
        self._training.update(done - self._training.n)


def is_named(config: Path | None, models: tuple[str, ...] | None) -> bool:
    """Whether a model is named anywhere: the vectors of a file are only then taken for its."""
    return bool(config or models or os.environ.get("EMBEDWAY_MODEL"))
