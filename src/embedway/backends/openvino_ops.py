"""The vocabulary of `models.families.ops` as an OpenVINO graph on packed tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino.opset13 as ov
from openvino import Node

from embedway.backends.packing import MASKED
from embedway.models.families.ops import Packed, Pooling
from embedway.models.weights import Weights

GROUPS = 2


class GraphOps:
    """Builds nodes; the inputs of the finished graph are `parameters`, fed as `packing.Layout` describes.

    Attention is spelled out as matrix product, softmax, matrix product: on CPU this was faster in bfloat16 than the
    fused operation, and in float32 the same.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._blocked: dict[tuple[int, bool, int | None], Node] = {}
        integers = {
            name: ov.parameter([-1], np.int32, name=name)
            for name in ("ids", "positions", "unpack", "rows", "first", "last")
        }
        self._slots = [ov.parameter([-1, -1], np.int32, name=f"slots{group}") for group in range(GROUPS)]
        self._masks = [ov.parameter([-1, -1], np.float32, name=f"mask{group}") for group in range(GROUPS)]
        self._inputs = integers
        self.tokens = Packed(ids=integers["ids"], positions=integers["positions"])
        self._padding = [ov.unsqueeze(mask, _ints(1, 2)) for mask in self._masks]

    @property
    def parameters(self) -> list[Node]:
        return [*self._inputs.values(), *self._slots, *self._masks]

    def embedding(self, name: str, rows: int, width: int, ids: Node) -> Node:
        return ov.gather(self._constant(name, (rows, width)), ids, _int(0))

    def embedding_row(self, name: str, rows: int, width: int, row: int) -> Node:
        return ov.constant(self._weights.tensor(name, (rows, width))[row])

    def linear(self, name: str, x: Node, width_in: int, width_out: int, bias: bool = True) -> Node:
        product = ov.matmul(x, self._constant(f"{name}.weight", (width_out, width_in)), False, True)
        return ov.add(product, self._constant(f"{name}.bias", (width_out,))) if bias else product

    def layer_norm(self, name: str, x: Node, width: int, eps: float) -> Node:
        centred = ov.mvn(x, _ints(-1), normalize_variance=True, eps=eps, eps_mode="inside_sqrt")
        scaled = ov.multiply(centred, self._constant(f"{name}.weight", (width,)))
        return ov.add(scaled, self._constant(f"{name}.bias", (width,)))

    def add(self, a: Node, b: Node) -> Node:
        return ov.add(a, b)

    def gelu(self, x: Node, approximate: bool = False) -> Node:
        return ov.gelu(x, "tanh" if approximate else "erf")

    def relu(self, x: Node) -> Node:
        return ov.relu(x)

    def attention(
        self,
        q: Node,
        k: Node,
        v: Node,
        heads: int,
        kv_heads: int | None = None,
        scale: float | None = None,
        causal: bool = False,
        window: int | None = None,
    ) -> Node:
        width = q.get_output_partial_shape(0)[1].get_length()
        depth = width // heads
        q = ov.multiply(q, ov.constant(np.float32(depth**-0.5 if scale is None else scale)))
        parts = []
        for group in range(GROUPS):
            q4 = self._split_heads(q, group, heads, depth)
            k4, v4 = (
                self._repeat_heads(self._split_heads(x, group, kv_heads or heads, depth), heads, kv_heads or heads)
                for x in (k, v)
            )
            scores = ov.add(ov.matmul(q4, k4, False, True), self._bias(group, causal, window))
            mixed = ov.transpose(ov.matmul(ov.softmax(scores, -1), v4, False, False), _ints(0, 2, 1, 3))
            parts.append(ov.reshape(mixed, _ints(-1, width), False))
        return ov.gather(ov.concat(parts, 0), self._inputs["unpack"], _int(0))

    def pool(self, x: Node, how: Pooling) -> Node:
        if how == "cls":
            return ov.gather(x, self._inputs["first"], _int(0))
        if how == "last":
            return ov.gather(x, self._inputs["last"], _int(0))
        parts = [self._pool_group(x, group, how) for group in range(GROUPS)]
        return ov.gather(ov.concat(parts, 0), self._inputs["rows"], _int(0))

    def normalize(self, x: Node) -> Node:
        return ov.normalize_l2(x, _ints(1), 1e-12, "max")

    def _pool_group(self, x: Node, group: int, how: Pooling) -> Node:
        slots = ov.gather(x, self._slots[group], _int(0))
        if how == "max":
            return ov.reduce_max(ov.add(slots, ov.unsqueeze(self._masks[group], _ints(2))), _ints(1))
        present = ov.convert(ov.equal(self._masks[group], ov.constant(np.float32(0))), np.float32)
        total = ov.reduce_sum(ov.multiply(slots, ov.unsqueeze(present, _ints(2))), _ints(1))
        return ov.divide(total, ov.reduce_sum(present, _ints(1), True))

    def _split_heads(self, x: Node, group: int, heads: int, depth: int) -> Node:
        """`[n, heads * depth]` -> `[items, heads, slots, depth]` of one group."""
        slots = ov.gather(x, self._slots[group], _int(0))
        return ov.transpose(ov.reshape(slots, _ints(0, 0, heads, depth), True), _ints(0, 2, 1, 3))

    def _repeat_heads(self, x: Node, heads: int, kv_heads: int) -> Node:
        if heads == kv_heads:
            return x
        return ov.gather(x, ov.constant(np.repeat(np.arange(kv_heads, dtype=np.int64), heads // kv_heads)), _int(1))

    def _bias(self, group: int, causal: bool, window: int | None) -> Node:
        """What is added to the scores: `MASKED` where a slot is empty or out of a token's sight."""
        if not causal and window is None:
            return self._padding[group]
        key = (group, causal, window)
        if key not in self._blocked:
            self._blocked[key] = ov.add(self._padding[group], self._out_of_sight(group, causal, window))
        return self._blocked[key]

    def _out_of_sight(self, group: int, causal: bool, window: int | None) -> Node:
        width = ov.gather(ov.shape_of(self._slots[group], "i32"), _int(1), _int(0))
        index = ov.range(_int32(0), width, _int32(1), "i32")
        ahead = ov.subtract(
            ov.unsqueeze(index, _ints(0)), ov.unsqueeze(index, _ints(1))
        )  # key minus query, [slots, slots]
        far = []
        if causal:
            far.append(ov.greater(ahead, _int32(0)))
        if window is not None:
            far.append(ov.greater(ov.absolute(ahead), _int32(window)))
        hidden = far[0] if len(far) == 1 else ov.logical_or(far[0], far[1])
        return ov.multiply(ov.convert(hidden, np.float32), ov.constant(MASKED))

    def _constant(self, name: str, shape: tuple[int, ...]) -> Node:
        return ov.constant(self._weights.tensor(name, shape))


def _ints(*values: int) -> Any:
    return ov.constant(np.array(values, dtype=np.int64))


def _int(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int64))


def _int32(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int32))
