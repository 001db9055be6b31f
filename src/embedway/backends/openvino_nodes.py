"""Small pieces of OpenVINO graphs: constants, stored tensors, and the batch's tokens as inputs."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import openvino
import openvino.opset13 as ov
from openvino import Node


class GraphTokens:
    """The batch's tokens as inputs of the graph, each made when a family first asks for it."""

    def __init__(self) -> None:
        self.inputs: dict[str, Node] = {}

    @property
    def ids(self) -> Node:
        return self.input("ids")

    @property
    def positions(self) -> Node:
        return self.input("positions")

    @property
    def types(self) -> Node:
        return self.input("types")

    def input(self, name: str, rank: int = 1, kind: Any = np.int32) -> Node:
        if name not in self.inputs:
            self.inputs[name] = ov.parameter([-1] * rank, kind, name=name)
        return self.inputs[name]

    def slots(self, group: int) -> Node:
        """int32 `[items, slots]`, as `packing.Group` has them."""
        return self.input(f"slots{group}", 2)

    def mask(self, group: int) -> Node:
        """float32 `[items, slots]`: 0, or `MASKED` for a slot that nobody looks at."""
        return self.input(f"mask{group}", 2, np.float32)

    def index(self, group: int) -> Node:
        """int32 `[slots]`: 0, 1, 2, …"""
        return ov.range(int32(0), length(self.slots(group), 1), int32(1), "i32")


def stored(array: npt.NDArray[Any]) -> Node:
    """A tensor as it is stored: float32, float16 or bfloat16, whose memory the graph shares. Others become float32.

    The array must live as long as the compiled model.
    """
    if not array.flags.aligned or array.dtype not in (np.float32, np.float16, ml_dtypes.bfloat16):
        return ov.constant(np.ascontiguousarray(array, dtype=np.float32))
    if array.dtype == ml_dtypes.bfloat16:  # a type that NumPy itself does not have
        tensor = openvino.Tensor(array.reshape(-1).view(np.uint16), list(array.shape), openvino.Type.bf16)
        return openvino.op.Constant(tensor, shared_memory=True)
    return ov.constant(array, shared_memory=True)


def as_float32(x: Node) -> Node:
    """The numbers as float32."""
    return x if x.get_element_type() == openvino.Type.f32 else ov.convert(x, np.float32)


def unpacked(constant: Node) -> Node:
    """A stored matrix as float32. In half precision it is marked as compressed: then the plug-in converts it while it
    arranges it for the processor, and makes no float32 copy before.
    """
    wide = as_float32(constant)
    if wide is not constant:
        wide.get_rt_info()["decompression_0"] = ""
    return wide


def length(x: Node, axis: int) -> Node:
    """An extent of `x` when the graph runs, int32."""
    return ov.gather(ov.shape_of(x, "i32"), int64(axis), int64(0))


def width(x: Node) -> int:
    """Numbers in a row of a packed tensor."""
    shape = x.get_output_partial_shape(0) if isinstance(x, Node) else x.get_partial_shape()
    return int(shape[1].get_length())


def ints(*values: int) -> Any:
    return ov.constant(np.array(values, dtype=np.int64))


def int64(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int64))


def int32(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int32))


def float32(value: float) -> Any:
    return ov.constant(np.float32(value))
