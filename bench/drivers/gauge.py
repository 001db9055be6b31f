"""The machine's matrix multiplication rate, asked for again and again: `python -m bench.drivers.gauge fp32|bf16`."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from bench.drivers.gemm import SIZE
from bench.pipe import serve

REPEATS = 3


def open_commands() -> tuple[Any, Mapping[str, Callable[..., Any]]]:
    """The precision is the argument. Torch's threads must not spin between the questions (OMP_WAIT_POLICY)."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[sys.argv[1]]
    left, right = torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)
    into = torch.empty(SIZE, SIZE, dtype=dtype)

    def rate() -> float:
        """GFLOP/s, the median of three products."""
        seconds = []
        with torch.inference_mode():
            for _ in range(REPEATS):
                started = time.perf_counter()
                torch.mm(left, right, out=into)
                seconds.append(time.perf_counter() - started)
        return 2 * SIZE**3 / statistics.median(seconds) / 1e9

    rate()
    return None, {"rate": rate}


if __name__ == "__main__":
    serve(open_commands)
