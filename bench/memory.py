"""Resident memory of Embedway's server over many requests: does it stay flat?"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from bench import machine
from bench.loads import Load
from bench.rivals import BY_NAME
from bench.running import Running, start_caller

STEP = 500
"""Requests between two looks at the memory."""
SETTLED = 2_000
"""Requests after which the memory is expected to stay within bounds."""


def measure(requests: int, texts: str = "mixed", concurrency: int = 8) -> dict[str, Any]:
    """Send one text per request, look at the memory every 500; the extremes are of what comes after the first 2,000."""
    caller = start_caller()
    running = None
    began_s = time.perf_counter()
    points: list[dict[str, float]] = []
    errors = 0
    try:
        running = Running(BY_NAME["embedway"], caller, "base64")
        done = 0
        while done < requests:
            told = running.measure(Load(texts, 1, concurrency), 0.0, 1_000_000 + done, requests=STEP)
            done += told["requests"] + told["errors"]
            errors += told["errors"]
            points.append({"requests": done, "resident_mib": running.resident_bytes() / 2**20})
            print(f"{done:6} requests: {points[-1]['resident_mib']:.1f} MiB", flush=True)
    finally:
        if running:
            running.close()
        caller.close()
    settled = [point["resident_mib"] for point in points if point["requests"] > SETTLED] or [points[-1]["resident_mib"]]
    middle = (min(settled) + max(settled)) / 2
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "load": {"texts": texts, "per_request": 1, "concurrency": concurrency, "requests": requests},
        "errors": errors,
        "duration_s": time.perf_counter() - began_s,
        "points": points,
        "settled_min_mib": min(settled),
        "settled_max_mib": max(settled),
        "spread_percent": 100 * (max(settled) - middle) / middle,
    }


def sentence(told: dict[str, Any]) -> str:
    """The finding in one sentence."""
    return (
        f"Resident memory over {told['load']['requests']:,} requests ({told['load']['texts']} texts, "
        f"{told['load']['concurrency']} callers), after the first {SETTLED:,}: "
        f"{told['settled_min_mib']:.0f} to {told['settled_max_mib']:.0f} MiB "
        f"(± {told['spread_percent']:.1f} % of the middle); {told['errors']} errors."
    )
