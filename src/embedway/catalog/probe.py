"""Whether a registered model answers: asked when it is registered, and again and again after that."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal

from embedway.catalog.catalog import Catalog
from embedway.catalog.row import Finding
from embedway.errors import StoreUnavailable
from embedway.types import RemoteKind, RemoteSpec

if TYPE_CHECKING:
    from embedway.backends.trace import Trace

log = logging.getLogger(__name__)

Ask = Callable[[RemoteSpec, str, Literal["build", "search"]], Awaitable["Trace"]]

AT_ONCE = 4
TICK_S = 1.0
_TEXT = "hello"
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKElEQVR42u3NQQEAAAQEMCS/6Erw2wqsk9SnqWcCgUAg"
    "EAgEAoHgygK+PQHAs0oJIwAAAABJRU5ErkJggg=="
)
SAMPLES: Mapping[RemoteKind, str] = {
    "text_embedding": _TEXT,
    "text_sparse_embedding": _TEXT,
    "image_embedding": _PIXEL,
    "image_analyze": _PIXEL,
}
"""What a model is probed with: a word, or a grey picture of 32 by 32 pixels."""


async def probe(remote: RemoteSpec, ask: Ask) -> Finding:
    """Ask once for each phase, both at the same time; for `remote.timeout_s` at most."""
    quick = dataclasses.replace(remote, attempts=1)
    given = SAMPLES[remote.kind]
    build, search = await asyncio.gather(ask(quick, given, "build"), ask(quick, given, "search"))
    latency_ms = max(build.latency_ms, search.latency_ms)
    if build.problem == search.problem:
        return Finding(build.problem or "", latency_ms)
    phases = {"As a document": build.problem, "As a query": search.problem}
    return Finding(" ".join(f"{name}: {found}" for name, found in phases.items() if found), latency_ms)


class Prober:
    """Probes every model once in `interval_s` seconds, a little more or less so that they do not all come at once.

    What is due is claimed in the database, so that of several processes one does it.
    """

    def __init__(self, catalog: Catalog, interval_s: float) -> None:
        self._catalog = catalog
        self._interval_s = interval_s
        self._random = random.Random()  # noqa: S311 -- to spread work, not to keep a secret

    async def run(self) -> None:
        """For ever. With the database gone it waits for it."""
        while True:
            try:
                await self._round()
            except StoreUnavailable:
                pass  # the database has said so in the log
            except Exception:
                log.exception("The registered models could not be probed; the next round tries again")
            await asyncio.sleep(min(TICK_S, self._interval_s / 4))

    async def _round(self) -> None:
        """Probe what is due, some at a time, until nothing is."""
        while True:
            spread = self._random.uniform(0.9, 1.1)
            rows = await self._catalog.claim(time.time() - self._interval_s * spread, AT_ONCE)
            if not rows:
                return
            await asyncio.gather(*(self._catalog.probe(row) for row in rows))
