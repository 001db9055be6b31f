"""Attention as an OpenVINO graph, within the rectangles that `packing` lays out.

Spelled out as matrix product, softmax, matrix product it was faster in bfloat16 on CPU than the fused operation, and in
float32 the same. Long items have a rectangle of their own, where nothing may grow with the square of the text. The
plug-in makes one kernel of the three operations, which holds the scores of a few rows at a time, but it spells out the
mask, of the causal operation too. So a causal text is computed in steps, each with the mask of its own rows and without
the pairs that none of them sees, and a text with a window in blocks that see themselves and their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino.opset13 as ov
from openvino import Node

from embedway.backends.openvino_nodes import GraphTokens, float32, int32, int64, ints, length, width
from embedway.backends.packing import LANES, LONG, MASKED
from embedway.models.families.ops import Floats

LONG_GROUP = 2
STEPS = 4
"""Parts of a long causal text: with 4, five eighths of all pairs are computed, with 8 nine sixteenths."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a token sees: as the arguments of `Ops.attention`, with `scale` decided and `window` None where it is wider
    than any text.
    """

    heads: int
    kv_heads: int
    scale: float
    causal: bool
    window: int | None
    bias: Floats | None


@dataclass(frozen=True, slots=True)
class _Places:
    """Packed rows of queries int32 `[parts, slots]` and of keys int32 `[parts, seen]`, and what is added to the scores,
    float32, broadcast to `[parts, 1, slots, seen]`; None where nothing is.
    """

    queries: Node
    keys: Node
    hidden: Node | None


class GraphAttention:
    """Builds attention over `tokens`, whose longest item has `max_tokens`; what layers share is built once."""

    def __init__(self, tokens: GraphTokens, max_tokens: int) -> None:
        self.groups = range(LONG_GROUP + 1 if max_tokens > LONG else LONG_GROUP)
        self._tokens = tokens
        self._hidden: dict[tuple[int, bool, int | None], Node] = {}
        self._blocks: dict[tuple[bool, int], _Places] = {}
        self._steps: list[_Places] = []

    def attend(self, q: Node, k: Node, v: Node, sight: Sight) -> Node:
        """`[n, heads * depth]`."""
        parts = [self._attend(group, q, k, v, sight) for group in self.groups]
        return ov.gather(ov.concat(parts, 0), self._tokens.input("unpack"), int64(0))

    def pool(self, query: Floats, k: Node, v: Node) -> Node:
        """One row for each item, shortest first, by a query `[1, heads, 1, depth]` that is scaled already:
        `[items, heads * depth]`.
        """
        sight = Sight(query.shape[1], query.shape[1], 1.0, causal=False, window=None, bias=None)
        parts = []
        for group in self.groups:
            slots = self._tokens.slots(group)
            _, k4, v4 = _heads(k, k, v, _Places(slots, slots, None), sight)
            scores = ov.add(ov.matmul(ov.constant(query), k4, False, True), self._unseen(group, False, None))
            parts.append(_rows(ov.matmul(ov.softmax(scores, -1), v4, False, False), width(k)))
        return ov.concat(parts, 0)

    def _attend(self, group: int, q: Node, k: Node, v: Node, sight: Sight) -> Node:
        """The rows of one group's slots, one item behind the other."""
        slots = self._tokens.slots(group)
        long = group == LONG_GROUP and sight.bias is None
        if long and sight.window is not None:
            return self._windowed(q, k, v, sight, sight.window)
        if long and sight.causal:
            return self._stepwise(q, k, v, sight)
        if long:
            return _fused(q, k, v, _Places(slots, slots, self._unseen(group, causal=False, window=None)), sight)
        if sight.causal and sight.window is None and sight.bias is None:
            # Filling stands behind the text, so no token sees it and no mask is needed.
            return _fused(q, k, v, _Places(slots, slots, None), sight)
        return self._spelled_out(group, q, k, v, sight)

    def _spelled_out(self, group: int, q: Node, k: Node, v: Node, sight: Sight) -> Node:
        slots = self._tokens.slots(group)
        q4, k4, v4 = _heads(q, k, v, _Places(slots, slots, None), sight)
        scores = ov.matmul(ov.multiply(q4, float32(sight.scale)), k4, False, True)
        scores = ov.add(scores, self._unseen(group, sight.causal, sight.window))
        if sight.bias is not None:
            scores = ov.add(scores, self._by_distance(group, sight.bias))
        return _rows(ov.matmul(ov.softmax(scores, -1), v4, False, False), width(q))

    def _stepwise(self, q: Node, k: Node, v: Node, sight: Sight) -> Node:
        """A causal text in `STEPS` steps, each of which sees itself and what stands before it."""
        if not self._steps:
            self._steps = [self._step(number) for number in range(STEPS)]
        parts = [self._per_item(_fused(q, k, v, places, sight), width(q)) for places in self._steps]
        return ov.reshape(ov.concat(parts, 1), ints(-1, width(q)), False)

    def _step(self, number: int) -> _Places:
        slots, index = self._tokens.slots(LONG_GROUP), self._tokens.index(LONG_GROUP)
        share = ov.divide(ov.add(length(slots, 1), int32(STEPS * LANES - 1)), int32(STEPS * LANES))
        size = _one(ov.multiply(share, int32(LANES)))
        begin, end = ov.multiply(size, _ints32(number)), ov.multiply(size, _ints32(number + 1))
        queries, keys = (ov.slice(index, start, end, _ints32(1), _ints32(0)) for start in (begin, _ints32(0)))
        later = ov.greater(ov.unsqueeze(keys, ints(0)), ov.unsqueeze(queries, ints(1)))
        hidden = ov.multiply(ov.convert(later, np.float32), ov.constant(MASKED))
        rows, seen = (ov.slice(slots, start, end, _ints32(1), _ints32(1)) for start in (begin, _ints32(0)))
        return _Places(rows, seen, ov.unsqueeze(hidden, ints(0, 1)))

    def _windowed(self, q: Node, k: Node, v: Node, sight: Sight, window: int) -> Node:
        """Items are cut into blocks no shorter than the window; what fills the last block is cut off again."""
        rows = self._per_item(_fused(q, k, v, self._in_blocks(sight.causal, window), sight), width(q))
        end = _one(length(self._tokens.slots(LONG_GROUP), 1))
        return ov.reshape(ov.slice(rows, _ints32(0), end, _ints32(1), _ints32(1)), ints(-1, width(q)), False)

    def _per_item(self, rows: Node, row: int) -> Node:
        """`[items * slots, row]` -> `[items, slots, row]` of the long items."""
        items = _one(length(self._tokens.slots(LONG_GROUP), 0))
        return ov.reshape(rows, ov.concat([items, _ints32(-1, row)], 0), False)

    def _in_blocks(self, causal: bool, window: int) -> _Places:
        if (causal, window) not in self._blocks:
            block = -(-window // LANES) * LANES
            seen = block * (2 if causal else 3)
            rows = _cut(self._tokens.slots(LONG_GROUP), block, 0)
            empty = _cut(self._tokens.mask(LONG_GROUP), block, MASKED)
            hidden = ov.unsqueeze(_flat(_beside(empty, causal, MASKED), seen), ints(1, 2))
            hidden = ov.add(hidden, ov.constant(_band(block, window, causal)))
            self._blocks[causal, window] = _Places(_flat(rows, block), _flat(_beside(rows, causal, 0), seen), hidden)
        return self._blocks[causal, window]

    def _unseen(self, group: int, causal: bool, window: int | None) -> Node:
        """What is added to the scores: `MASKED` where a slot is empty or out of a token's sight."""
        key = (group, causal, window)
        if key not in self._hidden:
            empty = ov.unsqueeze(self._tokens.mask(group), ints(1, 2))
            if causal or window is not None:
                empty = ov.add(empty, self._out_of_sight(group, causal, window))
            self._hidden[key] = empty
        return self._hidden[key]

    def _out_of_sight(self, group: int, causal: bool, window: int | None) -> Node:
        ahead = self._ahead(group)
        far = []
        if causal:
            far.append(ov.greater(ahead, int32(0)))
        if window is not None:
            far.append(ov.greater(ov.absolute(ahead), int32(window)))
        hidden = far[0] if len(far) == 1 else ov.logical_or(far[0], far[1])
        return ov.multiply(ov.convert(hidden, np.float32), ov.constant(MASKED))

    def _by_distance(self, group: int, bias: Floats) -> Node:
        """`[heads, slots, slots]`: the bias of each pair of places."""
        reach = bias.shape[1] // 2
        place = ov.add(ov.clamp(ov.convert(self._ahead(group), np.float32), -reach, reach), float32(reach))
        return ov.gather(ov.constant(bias), ov.convert(place, np.int32), int64(1))

    def _ahead(self, group: int) -> Node:
        """Key minus query, int32 `[slots, slots]`."""
        index = self._tokens.index(group)
        return ov.subtract(ov.unsqueeze(index, ints(0)), ov.unsqueeze(index, ints(1)))


def _fused(q: Node, k: Node, v: Node, places: _Places, sight: Sight) -> Node:
    """The fused operation: without a mask causal, else with what the mask hides."""
    q4, k4, v4 = _heads(q, k, v, places, sight)
    scale = float32(sight.scale)
    if places.hidden is None:
        mixed = ov.scaled_dot_product_attention(q4, k4, v4, scale=scale, causal=True)
    else:
        mixed = ov.scaled_dot_product_attention(q4, k4, v4, places.hidden, scale)
    return _rows(mixed, width(q))


def _heads(q: Node, k: Node, v: Node, places: _Places, sight: Sight) -> tuple[Node, Node, Node]:
    """Queries `[parts, heads, slots, depth]`, keys and values `[parts, heads, seen, depth]`."""
    depth = width(q) // sight.heads

    def split(x: Node, rows: Node, heads: int) -> Node:
        apart = ov.reshape(ov.gather(x, rows, int64(0)), ints(0, 0, heads, depth), True)
        return ov.transpose(apart, ints(0, 2, 1, 3))

    def repeat(x: Node) -> Node:
        if sight.heads == sight.kv_heads:
            return x
        whose = np.repeat(np.arange(sight.kv_heads, dtype=np.int64), sight.heads // sight.kv_heads)
        return ov.gather(x, ov.constant(whose), int64(1))

    k4, v4 = (repeat(split(x, places.keys, sight.kv_heads)) for x in (k, v))
    return split(q, places.queries, sight.heads), k4, v4


def _rows(mixed: Node, row: int) -> Node:
    """`[parts, heads, slots, depth]` -> `[parts * slots, heads * depth]`."""
    return ov.reshape(ov.transpose(mixed, ints(0, 2, 1, 3)), ints(-1, row), False)


def _cut(x: Node, block: int, filling: float | np.float32) -> Node:
    """`[items, slots]` -> `[items, blocks, block]`, the last block filled up."""
    missing = ov.floor_mod(ov.multiply(length(x, 1), int32(-1)), int32(block))
    behind = ov.concat([_ints32(0), _one(missing)], 0)
    whole = ov.pad(x, _ints32(0, 0), behind, "constant", _like(x, filling))
    return ov.reshape(whole, ov.concat([_one(length(x, 0)), _ints32(-1, block)], 0), False)


def _beside(x: Node, causal: bool, filling: float | np.float32) -> Node:
    """`[items, blocks, block]` -> `[items, blocks, seen]`: the one before, itself and, unless causal, the one after."""
    count = _one(length(x, 1))
    fill = _like(x, filling)
    before = ov.slice(
        ov.pad(x, ints(0, 1, 0), ints(0, 0, 0), "constant", fill), _ints32(0), count, _ints32(1), _ints32(1)
    )
    if causal:
        return ov.concat([before, x], 2)
    after = ov.pad(x, ints(0, 0, 0), ints(0, 1, 0), "constant", fill)
    last = ov.add(count, _ints32(1))
    return ov.concat([before, x, ov.slice(after, _ints32(1), last, _ints32(1), _ints32(1))], 2)


def _flat(x: Node, row: int) -> Node:
    """`[items, blocks, row]` -> `[items * blocks, row]`."""
    return ov.reshape(x, ints(-1, row), False)


def _band(block: int, window: int, causal: bool) -> Floats:
    """`MASKED` where a key of a block and its neighbours is out of a query's sight, float32 `[block, seen]`."""
    keys = np.arange(block * (2 if causal else 3)) - block
    ahead = keys[None, :] - np.arange(block)[:, None]
    hidden = (np.abs(ahead) > window) | (causal & (ahead > 0))
    return np.where(hidden, MASKED, np.float32(0))


def _like(x: Node, value: float | np.float32) -> Node:
    """A constant of the element type of `x`."""
    return int32(int(value)) if x.get_element_type().is_integral() else float32(float(value))


def _one(x: Node) -> Node:
    """A number as a list of one."""
    return ov.unsqueeze(x, ints(0))


def _ints32(*values: int) -> Node:
    return ov.constant(np.array(values, dtype=np.int32))
