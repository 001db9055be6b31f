"""The machine's matrix multiplication rate as torch (oneDNN) reaches it: `python -m bench.drivers.gemm_torch`."""

from __future__ import annotations

import torch

from bench.drivers.gemm import SIZE, report


def main() -> None:
    """Measure a square product in float32 and bfloat16 (emulated where the processor has none, and slow)."""
    rates = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        left, right = torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)
        into = torch.empty(SIZE, SIZE, dtype=dtype)
        rates[name] = lambda left=left, right=right, into=into: torch.mm(left, right, out=into)
    with torch.inference_mode():
        report(rates)


if __name__ == "__main__":
    main()
