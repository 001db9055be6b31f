"""The process that trains a reduction for a server: python -m embedway.cli.trainee.

A task comes as one line on standard input, and lines of JSON say how far it is; `embedway.catalog.task` has both
forms. When standard input ends, whoever asked is gone, and so is this process.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import cast

import msgspec

from embedway.catalog.task import Said, Task
from embedway.cli.training import Asked, train_from
from embedway.errors import EmbedwayError, InvalidInput, NoRoom, SetupError
from embedway.models.reduction import Method
from embedway.observe import set_up_logging
from embedway.reduce.rows import kind_of
from embedway.settings import Settings

NICENESS = 10
HANG_S = 600.0
"""For one pass of the model: there is one thread, and it gives way to those that serve."""
PAUSE_S = 0.2
_READING = 0.05
"""Of the progress, for the rows, whose number nobody knows before."""
_WORDS = {"--dimension": "output_dimension", "--model": "base_model", "--method pca": "the method pca"}


class Teller:
    """Says how far it is, not more often than one can read."""

    def __init__(self) -> None:
        self._rows = 0
        self._at_s = 0.0

    def rows(self, count: int) -> None:
        self._rows += count
        if self._due():
            say(Said(line=f"{self._rows} rows read.", done=_READING))

    def steps(self, done: int, total: int) -> None:
        if self._due() or done == total:
            say(Said(done=_READING + (1 - _READING) * done / total))

    def _due(self) -> bool:
        due = time.monotonic() - self._at_s >= PAUSE_S
        if due:
            self._at_s = time.monotonic()
        return due


def say(said: Said) -> None:
    """One line on standard output."""
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()


def train(task: Task) -> None:
    """Raises `EmbedwayError`."""
    data, model = Path(task.data), task.model
    if model is None and kind_of(data, task.field) == "text":
        raise InvalidInput("The rows are texts: name the model that embeds them with base_model.")
    asked = Asked(
        data=data,
        field=task.field,
        dimension=task.dimension,
        name=task.name,
        output=Path(task.output),
        method=cast(Method, task.method),
        whiten=task.whiten,
        seed=task.seed,
        steps=task.steps,
        progress=False,
        named=model is not None,
    )
    settings = Settings(model=(model,) if model else (), threads=1, hang_timeout_s=HANG_S)
    for line in train_from(settings, asked, Teller()):
        say(Said(line=line))


def worded(message: str, task: Task) -> str:
    """A sentence for a caller who knows no flags of the command, and nothing of this machine's files."""
    message = message.replace(task.data, "The data").replace(task.output, "The artefact")
    for flag, name in _WORDS.items():
        message = message.replace(flag, name)
    return re.sub(r"--([a-z]+)", r"\1", message)


def main() -> None:
    """Exit with 0 where the outcome was told, good or bad."""
    os.nice(NICENESS)
    set_up_logging("error", "text")
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        train(task)
    except NoRoom as error:  # later there may be
        say(Said(failed=error.message))
    except (InvalidInput, SetupError) as error:
        say(Said(error=worded(error.message, task)))
    except EmbedwayError as error:
        say(Said(failed=worded(error.message, task)))


def _end_with_input() -> None:
    os.read(sys.stdin.fileno(), 1)  # not the buffered reader, whose lock would be in the way at the end
    os._exit(1)


if __name__ == "__main__":
    main()
