"""The machine's own matrix multiplication rate: the practical ceiling that every row is compared with."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from bench.machine import has_bf16
from bench.paths import REPOSITORY
from bench.pipe import Child
from bench.processes import clean_environment
from bench.venvs import EMBEDWAY, SENTENCE

PROGRAMS = {"torch": (SENTENCE, "gemm_torch"), "openvino": (EMBEDWAY, "gemm_openvino")}


def measure() -> dict[str, dict[str, dict[str, float]]]:
    """Library, precision → median and best GFLOP/s of a 2048 by 2048 product on all cores. Takes some ten seconds."""
    found = {}
    for library, (venv, program) in PROGRAMS.items():
        if not venv.python.exists():
            continue
        command = [str(venv.python), "-m", f"bench.drivers.{program}"]
        told = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, env=clean_environment({}), check=True
        )
        found[library] = json.loads(told.stdout.splitlines()[-1])
    return found


def start_gauge() -> Child:
    """Start the probe of the machine's speed at the moment, in the precision that shares are taken of.

    Clock rates move by the second, on shared machines twofold: a window is compared with what a plain product reached
    right before and after it.
    """
    command = [str(SENTENCE.python), "-m", "bench.drivers.gauge", own_precision()]
    return Child("gauge", command, clean_environment({"OMP_WAIT_POLICY": "PASSIVE"}))


def own_precision() -> str:
    """bfloat16 where the processor has it, else float32."""
    return "bf16" if has_bf16() else "fp32"


def summarize(rounds: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Per precision the best library's median over the rounds; `ceiling` is the one that shares are taken of.

    That is bfloat16 where the processor has it, else float32.
    """
    medians: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for found in rounds:
        for library, precisions in found.items():
            for precision, rate in precisions.items():
                medians[precision][library].append(rate["median"])
    told: dict[str, Any] = {}
    for precision, libraries in medians.items():
        by_library = {library: statistics.median(rates) for library, rates in libraries.items()}
        best = max(by_library, key=lambda library: by_library[library])
        told[precision] = {"gflop_per_s": by_library[best], "library": best, "all": by_library}
    precision = own_precision()
    return told | {"ceiling": {"precision": precision, "gflop_per_s": told[precision]["gflop_per_s"]}}
