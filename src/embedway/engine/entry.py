"""What the engine keeps of one model: the entry under its name, and what is loaded of it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass, field

from embedway.backends.base import Backend
from embedway.engine.batcher import Batcher
from embedway.engine.device import Device
from embedway.engine.memory import Reservation, give_back
from embedway.types import Facts, ModelSpec, ModelState


@dataclass(slots=True, eq=False)
class Loaded:
    """One opened model. `users` counts the calls that wait for an answer of this very copy."""

    backend: Backend
    batcher: Batcher
    device: Device
    reservation: Reservation
    users: int = 0

    def close(self) -> None:
        """Close the backend, let go of it and give its memory back; blocks. Nothing is called afterwards.

        What took no memory gives none back: that holds up the whole process for a moment.
        """
        self.backend.close()
        del self.backend, self.batcher
        if self.reservation.bytes:
            give_back()


@dataclass(slots=True, eq=False)
class Entry:
    """A model by its name. `loaded` changes at once, so that a call sees the old copy or the new one.

    `facts` are those of the last copy: they outlive an idle one. `work` is what is being done to the entry, one thing
    at a time. `wanted` is what it is to become while it still serves what it is. `failure` is why the last load failed,
    and `retry_s` the point on the monotonic clock before which a call does not try it again.
    """

    spec: ModelSpec
    created_s: int = field(default_factory=lambda: int(time.time()))
    state: ModelState = "loading"
    reason: str = "loading"
    facts: Facts | None = None
    loaded: Loaded | None = None
    wanted: ModelSpec | None = None
    work: asyncio.Task[None] | None = None
    failure: Exception | None = None
    used_s: float = field(default_factory=time.monotonic)
    retry_s: float = 0.0
    waiters: int = 0
    waiting_tokens: int = 0

    @property
    def busy(self) -> bool:
        """Whether a call waits for its answer, or for the model to be loaded again."""
        return bool(self.waiters or (self.loaded and self.loaded.users))

    @property
    def answers(self) -> bool:
        """Whether a call is answered, if late: by what is loaded, or by what will be loaded for it.

        A reload that failed is tried again by the first call after `retry_s`; until then nobody should ask.
        """
        if self.loaded is not None or self.facts is None:
            return self.loaded is not None
        return self.state != "failed" or time.monotonic() >= self.retry_s

    def become(self, state: ModelState, reason: str = "") -> None:
        """The state, and a sentence or word that anyone may read."""
        self.state, self.reason = state, reason or state


def reopens(old: ModelSpec, new: ModelSpec) -> bool:
    """Whether the new spec needs another copy; names, keep-alive and such can change under a copy that serves."""
    return new != dataclasses.replace(
        old, aliases=new.aliases, stand_in=new.stand_in, required=new.required, keep_alive_s=new.keep_alive_s
    )
