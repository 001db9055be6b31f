"""What became of the models, in words: for the log, and for everyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedway.errors import EmbedwayError, SetupError
from embedway.types import ModelSpec


@dataclass(slots=True)
class Changes:
    """What `reconcile` did, by the models' names. `failed` has one sentence for each; its model is as it was before."""

    loaded: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{what} {', '.join(names)}" for what, names in self._parts() if names]
        return "; ".join(parts) or "nothing changed"

    def _parts(self) -> Sequence[tuple[str, Sequence[str]]]:
        return (
            ("loaded", self.loaded),
            ("swapped", self.swapped),
            ("changed", self.changed),
            ("unloaded", self.unloaded),
            ("failed", list(self.failed)),
        )


def said_of(error: Exception) -> str:
    """One sentence for the log."""
    return error.message if isinstance(error, EmbedwayError) else repr(error)


def shown(spec: ModelSpec, error: Exception) -> str:
    """Why a model is not there, for everyone: /ready is open to all, so no folder and no address is named."""
    if not isinstance(error, SetupError):
        return "it could not be loaded, the log says why"
    said = error.message
    for place in {spec.source, str(Path(spec.source).expanduser())}:
        if "/" in place:
            said = said.replace(place, Path(place).name or "the folder")
    return re.sub(r"(?:[\w.~:-]*/)+([\w.-]*)", r"\1", said)


def as_setup(spec: ModelSpec, error: Exception) -> SetupError:
    return (
        error if isinstance(error, SetupError) else SetupError(f"The model '{spec.name}' cannot be opened: {error!r}.")
    )
