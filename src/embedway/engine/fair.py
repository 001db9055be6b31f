"""Whose turn it is: shares of one model, and of the threads that prepare items.

Start-time fair queueing (Goyal, Vin and Cheng, "Start-time Fair Queueing", SIGCOMM 1996): an item gets a start tag, the
virtual time from which its flow may have it served, and the smallest tag goes first. A flow that asks for little is
served at once however much another has waiting, and a flow alone has everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from embedway.types import Priority

PRICE: Mapping[Priority, float] = {Priority.INTERACTIVE: 1.0, Priority.BULK: 8.0}
"""What a token counts for: where both wait, bulk gets a ninth of the model."""
Tag = tuple[float, Priority]
"""The smallest goes first; of those that may go at once, interactive ones."""


class Tags:
    """Start tags for the items of one queue. Virtual time is in tokens; not safe for threads."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ends: dict[tuple[str, Priority], float] = {}

    def stamp(self, flow: str, priority: Priority, cost: int) -> Tag:
        """The tag of the flow's next item."""
        start = max(self._now, self._ends.get((flow, priority), 0.0))
        self._ends[flow, priority] = start + cost * PRICE[priority]
        return start, priority

    def serve(self, tag: Tag) -> None:
        """An item with this tag begins to be served: nobody who comes now gets an earlier one."""
        self._now = max(self._now, tag[0])

    def rest(self) -> None:
        """Nothing waits any more: nobody owes or is owed anything."""
        self._ends.clear()


class Turns:
    """At most `limit` at once; of those who wait, the flows take turns. On the event loop."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, flow: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the body of the `with`."""
        await self._take(flow)
        try:
            yield
        finally:
            self._give()

    async def _take(self, flow: str) -> None:
        if self._free:
            self._free -= 1
            return
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append(coming)
        try:
            await coming
        except asyncio.CancelledError:
            if coming.done() and not coming.cancelled():  # the turn came just as the caller left
                self._give()
            raise

    def _give(self) -> None:
        """Hand the turn to the flow that was served longest ago, or keep it."""
        while self._waiting:
            flow, queue = next(iter(self._waiting.items()))
            del self._waiting[flow]
            while queue:
                coming = queue.popleft()
                if not coming.done():
                    if queue:
                        self._waiting[flow] = queue  # behind the others
                    coming.set_result(None)
                    return
        self._free += 1
