"""The vocabulary of `models.families.ops` as an OpenVINO graph on packed tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino.opset13 as ov
from openvino import Node

from embedway.backends.openvino_attention import GraphAttention, Sight
from embedway.backends.openvino_nodes import GraphTokens, as_float32, stored, unpacked
from embedway.backends.openvino_nodes import float32 as _float
from embedway.backends.openvino_nodes import int32 as _int32
from embedway.backends.openvino_nodes import int64 as _int
from embedway.backends.openvino_nodes import ints as _ints
from embedway.backends.openvino_nodes import width as _width
from embedway.models.families.ops import Floats, Pooling
from embedway.models.weights import Weights

INT8_MOST = 127


class GraphOps:
    """Builds nodes; the inputs of the finished graph are `parameters`, fed by name as `packing.Layout` describes.

    `max_tokens` is the longest item: tables by position are made for it. `int8` keeps the matrices of linear layers in
    int8; what is multiplied by them is quantised by the plug-in, token by token.
    """

    def __init__(self, weights: Weights, max_tokens: int, int8: bool = False) -> None:
        self.tokens = GraphTokens()
        self._weights = weights
        self._max_tokens = max_tokens
        self._int8 = int8
        self._attention = GraphAttention(self.tokens, max_tokens)
        self._turns: dict[bytes, tuple[Node, Node]] = {}

    @property
    def parameters(self) -> list[Node]:
        return list(self.tokens.inputs.values())

    def embedding(self, name: str, rows: int, width: int, ids: Node) -> Node:
        return as_float32(ov.gather(stored(self._weights.stored(name, (rows, width))), ids, _int(0)))

    def has(self, name: str) -> bool:
        return name in self._weights

    def numbers(self, name: str, shape: tuple[int, ...]) -> Floats:
        return self._weights.tensor(name, shape)

    def shift(self, ids: Node, by: int) -> Node:
        return ov.add(ids, _int32(by))

    def count(self, positions: Node, ids: Node, skipped: int) -> Node:
        skips = ov.convert(ov.equal(ids, _int32(skipped)), np.int32)
        so_far = ov.cum_sum(skips, _int(0))
        rows = ov.range(_int32(0), ov.gather(ov.shape_of(ids, "i32"), _int(0), _int(0)), _int32(1), "i32")
        before = ov.gather(ov.subtract(so_far, skips), ov.subtract(rows, positions), _int(0))
        counted = ov.subtract(ov.add(positions, _int32(1)), ov.subtract(so_far, before))
        return ov.multiply(counted, ov.subtract(_int32(1), skips))

    def plus(self, name: str, x: Node, width: int) -> Node:
        return ov.add(x, self._constant(name, (width,)))

    def linear(self, name: str, x: Node, width_in: int, width_out: int, bias: bool = True) -> Node:
        product = ov.matmul(x, self._matrix(f"{name}.weight", (width_out, width_in)), False, True)
        return ov.add(product, self._constant(f"{name}.bias", (width_out,))) if bias else product

    def choose(self, name: str, x: Node, rows: int, width: int, chosen: Sequence[int]) -> Node:
        table = self._weights.stored(name, (rows, width))
        return ov.matmul(x, ov.constant(np.ascontiguousarray(table[list(chosen)], dtype=np.float32)), False, True)

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

    def log1p(self, x: Node) -> Node:
        return ov.log(ov.add(x, _float(1)))

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
        if window is not None and window + 1 >= self._max_tokens:
            window = None
        scale = (_width(q) // heads) ** -0.5 if scale is None else scale
        return self._attention.attend(q, k, v, Sight(heads, kv_heads or heads, scale, causal, window, bias))

    def pool(self, x: Node, how: Pooling) -> Node:
        if how == "cls":
            return ov.gather(x, self.tokens.input("first"), _int(0))
        if how == "last":
            return ov.gather(x, self.tokens.input("last"), _int(0))
        parts = [self._pool_group(x, group, how) for group in self._attention.groups]
        return ov.gather(ov.concat(parts, 0), self.tokens.input("rows"), _int(0))

    def normalize(self, x: Node) -> Node:
        return ov.normalize_l2(x, _ints(1), 1e-12, "max")

    def _pool_group(self, x: Node, group: int, how: Pooling) -> Node:
        slots = ov.gather(x, self.tokens.slots(group), _int(0))
        if how == "max":
            return ov.reduce_max(ov.add(slots, ov.unsqueeze(self.tokens.mask(group), _ints(2))), _ints(1))
        present = ov.convert(ov.equal(self.tokens.mask(group), _float(0)), np.float32)
        if how == "weighted":
            present = ov.multiply(present, ov.convert(ov.add(self.tokens.index(group), _int32(1)), np.float32))
        total = ov.reduce_sum(ov.multiply(slots, ov.unsqueeze(present, _ints(2))), _ints(1))
        if how == "sum":
            return total
        return ov.divide(total, ov.reduce_sum(present, _ints(1), True))

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

    def _matrix(self, name: str, shape: tuple[int, int]) -> Node:
        """The matrix of a linear layer; in int8 with one scale for each of its outputs."""
        if not self._int8:
            return unpacked(stored(self._weights.stored(name, shape)))
        matrix = self._weights.tensor(name, shape)
        scale = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), np.float32(1e-30)) / np.float32(INT8_MOST)
        whole = np.rint(matrix / scale).astype(np.int8)
        return ov.multiply(ov.convert(ov.constant(whole), np.float32), ov.constant(scale))

    def _constant(self, name: str, shape: tuple[int, ...]) -> Node:
        return ov.constant(self._weights.tensor(name, shape))
