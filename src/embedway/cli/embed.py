"""`embedway embed`: texts in, vectors out, through the same engine that serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import orjson
from tqdm import tqdm

from embedway.cli.serve import build_engine
from embedway.engine.checks import check_dimensions
from embedway.engine.engine import LocalEngine
from embedway.errors import InvalidInput, SettingsError
from embedway.observe import Metrics
from embedway.settings import Settings
from embedway.types import EmbedCall, Role, Text, Vector

CHUNK = 512
"""Texts in one call: enough for the batcher to find neighbours of like length, little to hold in memory."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to embed and where to put it."""

    texts: Sequence[str]
    source: Path | None
    output: Path | None
    field: str
    role: Role
    dimensions: int | None
    progress: bool | None


class Sink(Protocol):
    def write(self, start: int, texts: Sequence[str], vectors: Sequence[Vector]) -> None: ...


def run_job(settings: Settings, job: Job) -> None:
    """Raises `SettingsError` or `InvalidInput` with one sentence; what was written until then stays."""
    if (job.source is None) == (not job.texts):
        raise SettingsError("Give texts as arguments, or a file with --input.")
    if job.output is not None and job.output.suffix not in (".jsonl", ".npy"):
        raise SettingsError("--output must end in .jsonl or .npy.")
    if job.output is not None and not job.output.absolute().parent.is_dir():
        raise SettingsError(f"--output {job.output} lies in a folder that does not exist.")
    if len(settings.model) != 1:
        raise SettingsError("embedway embed works with one model: name it with --model.")
    if job.source and job.output and job.output.exists() and job.output.samefile(job.source):
        raise SettingsError("--output is the file of --input: the vectors would overwrite the texts.")
    try:
        asyncio.run(_embed(settings, job))
    except OSError as error:
        if job.output is None:
            _leave_stdout()
        raise SettingsError(f"The texts cannot be read or the vectors written: {error.strerror or error}.") from error


async def _embed(settings: Settings, job: Job) -> None:
    engine = build_engine(settings, Metrics())
    await engine.start()
    try:
        total = _count(job)
        facts = engine.models()[0].facts
        dimensions = check_dimensions(facts, job.dimensions) or facts.most_dimensions if facts else 0
        shown = sys.stderr.isatty() if job.progress is None else job.progress
        with (
            _open_sink(job.output, total, dimensions) as sink,
            tqdm(total=total, unit="text", disable=not shown) as bar,
        ):
            await _stream(engine, settings.model[0].name, job, sink, bar)
    finally:
        await engine.stop()


async def _stream(engine: LocalEngine, model: str, job: Job, sink: Sink, bar: Any) -> None:
    texts, start = _read(job), 0
    while chunk := list(islice(texts, CHUNK)):
        call = EmbedCall(model, [Text(text, job.role) for text in chunk], job.dimensions)
        try:
            result = await engine.embed(call)
        except InvalidInput as error:
            if error.item is None:
                raise
            raise InvalidInput(f"Text {start + error.item + 1}: {error.message}") from error
        sink.write(start, chunk, result.vectors)
        start += len(chunk)
        bar.update(len(chunk))


def _read(job: Job) -> Iterator[str]:
    """The texts one by one; an empty one is an error, as on the wire."""
    if job.source is None:
        for number, text in enumerate(job.texts, 1):
            yield _checked(text, f"Text {number}")
        return
    with job.source.open("rb") as lines:  # lines end at LF, as `_count` counts them
        for number, line in enumerate(lines, 1):
            text = _decode(line, number)
            text = _text_of(text, job.field, number) if job.source.suffix == ".jsonl" else text
            yield _checked(text, f"Line {number}")


def _checked(text: str, place: str) -> str:
    """A text that can be embedded: not empty, and Unicode throughout (an argument may hold bytes that are not)."""
    if not text:
        raise InvalidInput(f"{place} is empty.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(f"{place} is not UTF-8.")
    return text


def _decode(line: bytes, number: int) -> str:
    """One line without its end; the byte order mark that some editors put before the first is no part of the text."""
    try:
        text = line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Line {number} is not UTF-8.") from error
    return text.removeprefix("\ufeff") if number == 1 else text


def _text_of(line: str, field: str, number: int) -> str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"Line {number} is not JSON: {error}.") from error
    text = value.get(field) if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise InvalidInput(f"Line {number} has no text under '{field}': choose the key with --field.")
    return text


def _count(job: Job) -> int | None:
    """How many texts there will be; None for a pipe, which can be read only once."""
    if job.source is None:
        return len(job.texts)
    if not job.source.is_file():
        return None
    with job.source.open("rb") as lines:
        return sum(1 for _ in lines)


@contextlib.contextmanager
def _open_sink(output: Path | None, total: int | None, dimensions: int) -> Iterator[Sink]:
    if output is not None and output.suffix == ".npy":
        if total is None:
            raise SettingsError(
                "A .npy file needs the number of texts beforehand: read them from a file, or write .jsonl."
            )
        part = output.with_name(output.name + ".part")  # an array of full size looks whole before it is
        try:
            array = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(total, dimensions))
            yield _ArraySink(array)
            array.flush()
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    elif output is not None:
        with output.open("wb") as file:
            yield _LinesSink(file)
    else:
        yield _LinesSink(sys.stdout.buffer)


def _leave_stdout() -> None:
    """Give up what standard output still holds: Python would try to write it again when it ends, and fail again."""
    with contextlib.suppress(OSError, ValueError):  # there may be no file behind it
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _ArraySink:
    """A `.npy` file, float32 `[texts, dimensions]`, written in place: it may be larger than memory."""

    def __init__(self, array: np.memmap[Any, Any]) -> None:
        self._array = array

    def write(self, start: int, texts: Sequence[str], vectors: Sequence[Vector]) -> None:
        self._array[start : start + len(vectors)] = vectors


class _LinesSink:
    """JSON lines `{"index", "text", "embedding"}`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, start: int, texts: Sequence[str], vectors: Sequence[Vector]) -> None:
        for index, (text, vector) in enumerate(zip(texts, vectors, strict=True), start):
            row = {"index": index, "text": text, "embedding": vector}
            self._file.write(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
