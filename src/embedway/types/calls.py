"""What is asked inside, whatever dialect it came in, and what comes back. Frozen, no I/O. Times are in seconds."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import numpy.typing as npt

from embedway.types.items import Item, Outputs, Vector
from embedway.types.models import DEFAULT_NAMESPACE, Facts

Ranker = Literal["cross-encoder", "late-interaction", "embedder-late-interaction", "embedder-cosine"]
"""How documents are ordered; the last two are an embedder's, which nobody trained to rank."""


class Priority(enum.IntEnum):
    """Who goes first when both wait; `engine.fair.PRICE` says what share bulk keeps."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `flow` is the name under which the caller's items share the queue with others; `namespace` says whose
    models the caller's names mean, beside the global ones. `models` are patterns, with `*` and `?`, of the models that
    the caller may use; none is no bound. `digest` is the SHA-256 of the API key, where one was shown, in hex.
    """

    flow: str = "anonymous"
    namespace: str = DEFAULT_NAMESPACE
    models: tuple[str, ...] = ()
    digest: str = field(default="", repr=False, compare=False)

    def may_use(self, *names: str) -> bool:
        """Whether one of a model's names is one that the caller may use."""
        patterns = [pattern.replace("[", "[[]") for pattern in self.models]
        return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class EmbedCall:
    """What is asked inside, whatever dialect it came in.

    `dimensions` None means native. `deadline_s` is a point on the clock of `time.monotonic`. `compare_with` float32
    `[tokens, width]` are a query's token vectors: those of each item are then replaced by one score, how well they
    cover the query, so that no more than one batch of token vectors is ever held.
    """

    model: str
    items: Sequence[Item]
    dimensions: int | None = None
    compare_with: npt.NDArray[np.float32] | None = None
    caller: Caller = ANONYMOUS
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one call went, in seconds; queue and run are those of its slowest item."""

    prepare_s: float = 0.0
    queue_s: float = 0.0
    run_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """`tokens` are tokens consumed; `cut` counts the texts that were longer than the model reads."""

    tokens: int
    cut: int
    characters: int


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """`outputs[i]` answers `call.items[i]`; `model` is the entry's own name, not the alias asked for. `lexical` says
    that weights of terms are BM25's, for want of a head. `facts` are of the copy of the model that answered.
    """

    model: str
    outputs: Sequence[Outputs]
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    stand_in: bool = False
    lexical: bool = False
    facts: Facts | None = None

    @property
    def vectors(self) -> Sequence[Vector]:
        """The dense vectors, where they were asked for."""
        return [one.dense for one in self.outputs if one.dense is not None]


@dataclass(frozen=True, slots=True)
class RankCall:
    """A query and the documents to be ordered by how well they answer it.

    `top_n` None means all. `raw` asks for what the model itself gives, without bringing it into [0, 1]. `instruction`
    None means the model's own; only cross-encoders have one.
    """

    model: str
    query: str
    documents: Sequence[str]
    top_n: int | None = None
    raw: bool = False
    instruction: str | None = None
    caller: Caller = ANONYMOUS
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """`index` is the document's place in the call."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class RankResult:
    """`ranked` is sorted, best first; equal scores keep the order of the call."""

    model: str
    ranked: Sequence[Ranked]
    ranker: Ranker
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    stand_in: bool = False
