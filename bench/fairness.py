"""Two keys on one server: does the bulk load of one hold up the single queries of the other?

One round measures, one after the other: how long a full batch takes; key B's single queries on the idle server; the
same while key A has its texts embedded, in requests of 32 by 32 callers and in requests of 2,000 by 5 callers; and, as
the control, queries of key A itself meanwhile, which stand in the same line as its texts. The bulk load comes from a
process of its own, so that the queries' clock does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

from bench import machine
from bench.connection import connect, post
from bench.model import MAX_TOKENS
from bench.processes import Server, free_port
from bench.rivals import BY_NAME, MODEL_NAME
from bench.texts import TextSet, load

HOST = "127.0.0.1"
PATH = "/v1/embeddings"
BULK, QUERIES = "bulk-key", "query-key"
SHAPES = ((32, 32), (2_000, 5))
"""Texts per request and callers of the bulk load."""
IDLE_QUERIES = 300
SETTLE_S = 1.0
"""Until the bulk load's process has started and filled the queue."""
BATCH_TOKENS = 2_048
BATCHES = 20
QUEUE_TOKENS = 4_000_000
"""So that the whole bulk load is accepted at once: the longest line there can be."""


class Asking:
    """Sends requests to one server; every text is sent once."""

    def __init__(self, port: int, first: int = 0) -> None:
        self.port = port
        self._serial = count(first)
        self._texts: TextSet = load("mixed")
        self._long: TextSet = load("long")

    def body(self, texts: int) -> bytes:
        """Mixed texts as clients send them."""
        serial = next(self._serial) * 2_000
        chosen, _ = self._texts.take(serial, texts, serial)
        return json.dumps({"model": MODEL_NAME, "input": chosen, "encoding_format": "base64"}).encode()

    async def batch(self) -> float:
        """Seconds for one request that fills a batch."""
        serial = next(self._serial) * 2_000
        chosen, _ = self._long.take(serial, BATCH_TOKENS // MAX_TOKENS, serial)
        return await self._timed(json.dumps({"model": MODEL_NAME, "input": chosen}).encode(), QUERIES)

    async def query(self, key: str) -> float:
        """Seconds for one text."""
        return await self._timed(self.body(1), key)

    async def _timed(self, body: bytes, key: str) -> float:
        connection = await connect(HOST, self.port)
        try:
            began_s = time.perf_counter()
            status, answer = await connection.send(post(HOST, self.port, PATH, body, key))
            took_s = time.perf_counter() - began_s
        finally:
            connection.close()
        if status != 200:
            raise RuntimeError(f"status {status}: {answer[:200]!r}")
        return took_s

    async def load(self, texts: int, per_request: int, callers: int) -> None:
        """The bulk load: each caller sends its next request when it has its answer."""
        left = [per_request] * (texts // per_request)

        async def caller() -> None:
            while left:
                await self._timed(self.body(left.pop()), BULK)

        await asyncio.gather(*(caller() for _ in range(callers)))


def measure(rounds: int, texts: int) -> dict[str, Any]:
    """All rounds on one server with two keys; times in milliseconds."""
    port = free_port()
    environment = {
        "EMBEDWAY_API_KEY": f"{BULK},{QUERIES}",
        "EMBEDWAY_MAX_BATCH_TOKENS": str(BATCH_TOKENS),
        "EMBEDWAY_MAX_QUEUE_TOKENS": str(QUEUE_TOKENS),
    }
    server = Server("fairness", BY_NAME["embedway"].command(port), environment, port)
    try:
        await_key(port)
        found = [asyncio.run(one_round(Asking(port), texts)) for _ in range(rounds)]
    finally:
        server.close()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "load": {"texts": texts, "shapes": SHAPES, "queries": "one mixed text after the other"},
        "rounds": found,
        "median": {name: statistics.median(one[name] for one in found) for name in found[0]},
    }


def await_key(port: int, limit_s: float = 60.0) -> None:
    """Wait for the first embedding that the server gives with a key."""
    began_s = time.perf_counter()
    while True:
        try:
            asyncio.run(Asking(port).query(QUERIES))
        except (OSError, RuntimeError):
            if time.perf_counter() - began_s > limit_s:
                raise
            time.sleep(0.1)
        else:
            return


async def one_round(asking: Asking, texts: int) -> dict[str, float]:
    """95th percentiles and the length of a full batch, in milliseconds."""
    batch_s = statistics.median([await asking.batch() for _ in range(BATCHES)])
    found = {"batch": batch_s, "idle": p95([await asking.query(QUERIES) for _ in range(IDLE_QUERIES)])}
    for per_request, callers in SHAPES:
        for name, key in (("other", QUERIES), ("same", BULK)):
            with bulk_load(asking.port, texts, per_request, callers) as bulk:
                await asyncio.sleep(SETTLE_S)
                times = []
                while bulk.is_alive():
                    times.append(await asking.query(key))
            if bulk.exitcode:
                raise RuntimeError("the bulk load failed")
            found[f"{name}_key_{per_request}x{callers}"] = p95(times)
    return {name: 1000 * seconds for name, seconds in found.items()}


@contextlib.contextmanager
def bulk_load(port: int, texts: int, per_request: int, callers: int) -> Iterator[BaseProcess]:
    """The bulk load in a process of its own, which is waited for at the end."""
    process = get_context("spawn").Process(target=send_bulk, args=(port, texts, per_request, callers))
    process.start()
    try:
        yield process
    finally:
        process.join()


def send_bulk(port: int, texts: int, per_request: int, callers: int) -> None:
    """What that process does; its texts are none that others send."""
    asyncio.run(Asking(port, first=1_000).load(texts, per_request, callers))


def p95(times: Sequence[float]) -> float:
    """The 95th percentile; of few values the largest."""
    return statistics.quantiles(times, n=20)[-1] if len(times) >= 20 else max(times)


def sentence(told: dict[str, Any]) -> str:
    """The finding in a few lines."""
    median = told["median"]
    allowed = median["idle"] + 2 * median["batch"]
    lines = [
        f"p95 of a single query: {median['idle']:.1f} ms idle; a full batch takes {median['batch']:.1f} ms: "
        f"at most {allowed:.1f} ms are wanted beside another key's {told['load']['texts']:,} texts."
    ]
    for per_request, callers in told["load"]["shapes"]:
        shape = f"{per_request}x{callers}"
        other, same = median[f"other_key_{shape}"], median[f"same_key_{shape}"]
        lines.append(
            f"{shape}: {other:.1f} ms ({other / allowed:.2f} of that); with the bulk load's own key {same:.1f} ms."
        )
    return "\n".join(lines)
