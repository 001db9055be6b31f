"""The machine's matrix multiplication rate as OpenVINO reaches it: `python -m bench.drivers.gemm_openvino`.

One operand is a constant, as a layer's weights are.
"""

from __future__ import annotations

import numpy as np
import openvino
from openvino import opset13

from bench.drivers.gemm import SIZE, report
from bench.machine import has_bf16


def main() -> None:
    """Measure a square product in float32 and, where the processor has it (emulated it takes minutes), in bfloat16."""
    values = np.random.default_rng(0).standard_normal((SIZE, SIZE), dtype=np.float32)
    rates = {}
    for name, precision in (("fp32", "f32"), ("bf16", "bf16"))[: 1 + has_bf16()]:
        left = opset13.parameter([SIZE, SIZE], np.float32)
        product = opset13.matmul(left, opset13.constant(values), False, False)
        hints = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": "1"}
        request = openvino.Core().compile_model(openvino.Model([product], [left]), "CPU", hints).create_infer_request()
        request.set_input_tensor(openvino.Tensor(values))
        rates[name] = request.infer
    report(rates)


if __name__ == "__main__":
    main()
