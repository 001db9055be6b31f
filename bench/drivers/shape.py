"""Open a model folder, embed one text of a given length, and say what that took. One line of JSON on standard output.

python -m bench.drivers.shape FOLDER TOKENS DTYPE
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.folders import text
from embedway.backends.open import open_backend
from embedway.types import ModelSpec, Text

STATUS = {"resident_mib": "VmRSS", "anonymous_mib": "RssAnon", "mapped_mib": "RssFile", "peak_mib": "VmHWM"}


def memory_mib() -> dict[str, int]:
    """This process's memory as Linux counts it: resident, of which its own and mapped from files, and the peak."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    told = {parts[0].rstrip(":"): int(parts[1]) for parts in lines if len(parts) == 3 and parts[2] == "kB"}
    return {name: told[key] // 1024 for name, key in STATUS.items()}


def measure(folder: str, tokens: int, dtype: Any) -> dict[str, Any]:
    """Times in seconds, memory in MiB. Raises where the answer is not one finite vector of the text's whole length."""
    started_s = time.perf_counter()
    backend = open_backend(ModelSpec(name="shape", source=folder, dtype=dtype))
    opened_s = time.perf_counter()
    opened = memory_mib()
    features = backend.prepare(Text(text(tokens)))
    if features.cost != tokens:
        raise ValueError(f"the text has {features.cost} tokens instead of {tokens}")
    prepared_s = time.perf_counter()
    vector = backend.run([features])[0].dense
    ended_s = time.perf_counter()
    if vector is None or not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
        raise ValueError("the answer is not a vector of length 1")
    return {
        "dimensions": len(vector),
        "tokens": features.cost,
        "dtype": backend.facts.dtype,
        "open_s": round(opened_s - started_s, 2),
        "prepare_s": round(prepared_s - opened_s, 3),
        "run_s": round(ended_s - prepared_s, 2),
        "opened": opened,
        "after": memory_mib(),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
