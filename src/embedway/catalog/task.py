"""What a server and the process that trains for it say to each other: one line of JSON there, and many back."""

from __future__ import annotations

import msgspec

from embedway.types import ModelSpec


class Task(msgspec.Struct, frozen=True):
    """What the process is to do. `model` embeds texts, or is whose the vectors are."""

    model: ModelSpec | None
    data: str
    field: str
    dimension: int
    name: str
    output: str
    method: str
    whiten: bool
    seed: int
    steps: int


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the process. `error` ends it: the data or the parameters are wrong; `failed`: something else is."""

    done: float | None = None
    line: str | None = None
    error: str | None = None
    failed: str | None = None
