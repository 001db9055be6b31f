"""The threads that prepare items: callers take turns on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from embedway.engine.fair import Turns

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Readers:
    """`count` threads, and no more work handed to them than they can begin: what waits, waits for its turn."""

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="prepare")
        self._turns = Turns(count)

    async def do(self, flow: str, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """The work done on a thread, in the flow's turn."""
        async with self._turns.turn(flow):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        """Begin nothing more; what has begun is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
