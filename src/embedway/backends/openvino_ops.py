"""The vocabulary of `models.families.ops` as an OpenVINO graph on packed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino.opset13 as ov
from openvino import Node

from embedway.backends.packing import MASKED
from embedway.models.families.ops import Floats, Pooling
from embedway.models.weights import Weights

GROUPS = 2


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


class GraphOps:
    """Builds nodes; the inputs of the finished graph are `parameters`, fed by name as `packing.Layout` describes.

    Attention is spelled out as matrix product, softmax, matrix product: on CPU this was faster in bfloat16 than the
    fused operation, and in float32 the same. Causal attention is the fused one, which needs no `[slots, slots]` mask.
    `max_tokens` is the longest item: tables by position are made for it.
    """

    def __init__(self, weights: Weights, max_tokens: int) -> None:
        self.tokens = GraphTokens()
        self._weights = weights
        self._max_tokens = max_tokens
        self._hidden: dict[tuple[int, bool, int | None], Node] = {}
        self._turns: dict[bytes, tuple[Node, Node]] = {}

    @property
    def parameters(self) -> list[Node]:
        return list(self.tokens.inputs.values())

    def embedding(self, name: str, rows: int, width: int, ids: Node) -> Node:
        return ov.gather(self._constant(name, (rows, width)), ids, _int(0))

    def linear(self, name: str, x: Node, width_in: int, width_out: int, bias: bool = True) -> Node:
        product = ov.matmul(x, self._constant(f"{name}.weight", (width_out, width_in)), False, True)
        return ov.add(product, self._constant(f"{name}.bias", (width_out,))) if bias else product

    def layer_norm(self, name: str, x: Node, width: int, eps: float, bias: bool = True) -> Node:
        centred = ov.mvn(x, _ints(-1), normalize_variance=True, eps=eps, eps_mode="inside_sqrt")
        scaled = ov.multiply(centred, self._constant(f"{name}.weight", (width,)))
        return ov.add(scaled, self._constant(f"{name}.bias", (width,))) if bias else scaled

    def rms_norm(self, name: str, x: Node, width: int, eps: float, offset: float = 0.0) -> Node:
        whole = _width(x)
        parts = x if whole == width else ov.reshape(x, _ints(0, whole // width, width), True)
        square = ov.reduce_mean(ov.power(parts, _float(2)), _ints(-1), True)
        even = ov.divide(parts, ov.sqrt(ov.add(square, _float(eps))))
        weight = self._weights.tensor(f"{name}.weight", (width,)) + np.float32(offset)
        scaled = ov.multiply(even, ov.constant(weight))
        return scaled if whole == width else ov.reshape(scaled, _ints(0, whole), True)

    def rotary(self, x: Node, heads: int, frequencies: Floats, factor: float = 1.0) -> Node:
        width = _width(x)
        depth, turned = width // heads, len(frequencies)
        cosine, sine = self._turn(frequencies, factor)
        parts = [turned, turned] + ([depth - 2 * turned] if depth > 2 * turned else [])
        first, second, *rest = ov.variadic_split(
            ov.reshape(x, _ints(0, heads, depth), True), _int(2), _ints(*parts)
        ).outputs()
        left = ov.subtract(ov.multiply(first, cosine), ov.multiply(second, sine))
        right = ov.add(ov.multiply(second, cosine), ov.multiply(first, sine))
        return ov.reshape(ov.concat([left, right, *rest], 2), _ints(0, width), True)

    def add(self, a: Node, b: Node) -> Node:
        return ov.add(a, b)

    def multiply(self, a: Node, b: Node) -> Node:
        return ov.multiply(a, b)

    def scale(self, x: Node, factor: float) -> Node:
        return ov.multiply(x, _float(factor))

    def split(self, x: Node, widths: Sequence[int]) -> Sequence[Node]:
        outputs: Sequence[Node] = ov.variadic_split(x, _int(1), _ints(*widths)).outputs()
        return outputs

    def gelu(self, x: Node, approximate: bool = False) -> Node:
        return ov.gelu(x, "tanh" if approximate else "erf")

    def relu(self, x: Node) -> Node:
        return ov.relu(x)

    def silu(self, x: Node) -> Node:
        return ov.swish(x)

    def tanh(self, x: Node) -> Node:
        return ov.tanh(x)

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
        bias: Floats | None = None,
    ) -> Node:
        width = _width(q)
        depth, kv_heads = width // heads, kv_heads or heads
        scale = depth**-0.5 if scale is None else scale
        parts = []
        for group in range(GROUPS):
            q4 = self._split_heads(q, group, heads, depth)
            k4, v4 = (self._repeat_heads(self._split_heads(x, group, kv_heads, depth), heads, kv_heads) for x in (k, v))
            if causal and window is None and bias is None:  # filling stands behind the text: no token sees it
                mixed = ov.scaled_dot_product_attention(q4, k4, v4, scale=_float(scale), causal=True)
            else:
                scores = ov.matmul(ov.multiply(q4, _float(scale)), k4, False, True)
                scores = ov.add(scores, self._unseen(group, causal, window))
                if bias is not None:
                    scores = ov.add(scores, self._by_distance(group, bias))
                mixed = ov.matmul(ov.softmax(scores, -1), v4, False, False)
            parts.append(ov.reshape(ov.transpose(mixed, _ints(0, 2, 1, 3)), _ints(-1, width), False))
        return ov.gather(ov.concat(parts, 0), self.tokens.input("unpack"), _int(0))

    def pool(self, x: Node, how: Pooling) -> Node:
        if how == "cls":
            return ov.gather(x, self.tokens.input("first"), _int(0))
        if how == "last":
            return ov.gather(x, self.tokens.input("last"), _int(0))
        parts = [self._pool_group(x, group, how) for group in range(GROUPS)]
        return ov.gather(ov.concat(parts, 0), self.tokens.input("rows"), _int(0))

    def normalize(self, x: Node) -> Node:
        return ov.normalize_l2(x, _ints(1), 1e-12, "max")

    def _slots(self, group: int) -> Node:
        return self.tokens.input(f"slots{group}", 2)

    def _mask(self, group: int) -> Node:
        return self.tokens.input(f"mask{group}", 2, np.float32)

    def _pool_group(self, x: Node, group: int, how: Pooling) -> Node:
        slots = ov.gather(x, self._slots(group), _int(0))
        if how == "max":
            return ov.reduce_max(ov.add(slots, ov.unsqueeze(self._mask(group), _ints(2))), _ints(1))
        present = ov.convert(ov.equal(self._mask(group), _float(0)), np.float32)
        if how == "weighted":
            present = ov.multiply(present, ov.convert(ov.add(self._index(group), _int32(1)), np.float32))
        total = ov.reduce_sum(ov.multiply(slots, ov.unsqueeze(present, _ints(2))), _ints(1))
        return ov.divide(total, ov.reduce_sum(present, _ints(1), True))

    def _split_heads(self, x: Node, group: int, heads: int, depth: int) -> Node:
        """`[n, heads * depth]` -> `[items, heads, slots, depth]` of one group."""
        slots = ov.gather(x, self._slots(group), _int(0))
        return ov.transpose(ov.reshape(slots, _ints(0, 0, heads, depth), True), _ints(0, 2, 1, 3))

    def _repeat_heads(self, x: Node, heads: int, kv_heads: int) -> Node:
        if heads == kv_heads:
            return x
        return ov.gather(x, ov.constant(np.repeat(np.arange(kv_heads, dtype=np.int64), heads // kv_heads)), _int(1))

    def _unseen(self, group: int, causal: bool, window: int | None) -> Node:
        """What is added to the scores: `MASKED` where a slot is empty or out of a token's sight."""
        key = (group, causal, window)
        if key not in self._hidden:
            empty = ov.unsqueeze(self._mask(group), _ints(1, 2))
            if causal or window is not None:
                empty = ov.add(empty, self._out_of_sight(group, causal, window))
            self._hidden[key] = empty
        return self._hidden[key]

    def _out_of_sight(self, group: int, causal: bool, window: int | None) -> Node:
        ahead = self._ahead(group)
        far = []
        if causal:
            far.append(ov.greater(ahead, _int32(0)))
        if window is not None:
            far.append(ov.greater(ov.absolute(ahead), _int32(window)))
        hidden = far[0] if len(far) == 1 else ov.logical_or(far[0], far[1])
        return ov.multiply(ov.convert(hidden, np.float32), ov.constant(MASKED))

    def _by_distance(self, group: int, bias: Floats) -> Node:
        """`[heads, slots, slots]`: the bias of each pair of places."""
        reach = bias.shape[1] // 2
        place = ov.add(ov.clamp(ov.convert(self._ahead(group), np.float32), -reach, reach), _float(reach))
        return ov.gather(ov.constant(bias), ov.convert(place, np.int32), _int(1))

    def _ahead(self, group: int) -> Node:
        """Key minus query, int32 `[slots, slots]`."""
        index = self._index(group)
        return ov.subtract(ov.unsqueeze(index, _ints(0)), ov.unsqueeze(index, _ints(1)))

    def _index(self, group: int) -> Node:
        width = ov.gather(ov.shape_of(self._slots(group), "i32"), _int(1), _int(0))
        return ov.range(_int32(0), width, _int32(1), "i32")

    def _turn(self, frequencies: Floats, factor: float) -> tuple[Node, Node]:
        """Cosine and sine at the tokens' positions, `[n, 1, r]` each.

        From tables: an angle computed in the graph would be rounded to the model's precision, and in bfloat16 no
        position beyond 256 is exact.
        """
        key = frequencies.tobytes() + np.float32(factor).tobytes()
        if key not in self._turns:
            angles = np.arange(self._max_tokens, dtype=np.float32)[:, None] * frequencies[None, :]
            cosine, sine = (
                ov.unsqueeze(
                    ov.gather(ov.constant(of(angles) * np.float32(factor)), self.tokens.positions, _int(0)),
                    _ints(1),
                )
                for of in (np.cos, np.sin)
            )
            self._turns[key] = cosine, sine
        return self._turns[key]

    def _constant(self, name: str, shape: tuple[int, ...]) -> Node:
        return ov.constant(self._weights.tensor(name, shape))


def _width(x: Node) -> int:
    """Numbers in a row."""
    shape = x.get_output_partial_shape(0) if isinstance(x, Node) else x.get_partial_shape()
    return int(shape[1].get_length())


def _ints(*values: int) -> Any:
    return ov.constant(np.array(values, dtype=np.int64))


def _int(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int64))


def _int32(value: int) -> Any:
    return ov.constant(np.array(value, dtype=np.int32))


def _float(value: float) -> Any:
    return ov.constant(np.float32(value))
