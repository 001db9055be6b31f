"""Timing of one matrix product, for the drivers that measure the machine's ceiling."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping

SIZE = 2048
FLOP = 2 * SIZE**3
SECONDS = 1.5
"""How long each precision is measured."""


def report(products: Mapping[str, Callable[[], object]]) -> None:
    """Print, per precision, the median and the best rate in GFLOP/s as one line of JSON."""
    rates: dict[str, dict[str, float]] = {}
    for name, product in products.items():
        product()
        product()
        seconds: list[float] = []
        until_s = time.perf_counter() + SECONDS
        while len(seconds) < 5 or (time.perf_counter() < until_s and len(seconds) < 500):
            began_s = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - began_s)
        rates[name] = {"median": FLOP / statistics.median(seconds) / 1e9, "best": FLOP / min(seconds) / 1e9}
    print(json.dumps(rates))
