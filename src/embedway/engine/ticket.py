"""One call's items on their way through the batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from embedway.engine.fair import Tag
from embedway.errors import EmbedwayError
from embedway.types import Features, Outputs
from embedway.vectors import Floats


class Ticket:
    """Gathers the outputs of one call's items, which may travel in different batches.

    Lives on the event loop; only `left` is read by the device's thread, which skips items whose caller has gone, and
    `compare_with`, a query's token vectors, which it compares the items' own with.
    """

    def __init__(self, count: int, compare_with: Floats | None = None) -> None:
        self.left = False
        self.compare_with = compare_with
        self.queue_s = 0.0
        self.run_s = 0.0
        self._outputs: list[Outputs | None] = [None] * count
        self._missing = count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, index: int, outputs: Outputs) -> None:
        self._outputs[index] = outputs
        self._missing -= 1
        if self._missing == 0 and not self._done.done():
            self._done.set_result(None)

    def fail(self, error: EmbedwayError) -> None:
        """One failed item fails its call; its other items are not computed any more."""
        if not self.left and not self._done.done():
            self._done.set_exception(error)
        self.left = True

    async def outputs(self) -> Sequence[Outputs]:
        """All outputs in the order of the items, or the first error."""
        await self._done
        return [outputs for outputs in self._outputs if outputs is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One prepared item in the queue; the smallest `tag` goes first (`engine.fair`)."""

    ticket: Ticket
    index: int
    features: Features
    arrived_s: float
    flow: str
    tag: Tag

    @property
    def cost(self) -> int:
        return self.features.cost
