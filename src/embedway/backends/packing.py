"""How a batch of items of different lengths is laid out for one pass.

The linear layers, nearly all of the work, see the tokens of all items one behind the other and nothing else. Attention
needs a rectangle `[items, slots]`, so the items, sorted by length, are cut into two groups and each group gets a
rectangle of its own: a short text beside a long one does not pay for the long one's slots. Items of more than `LONG`
tokens have a third, whose attention is computed piece by piece: their scores together would fill the memory.

Every extent that a kernel could split its sums by is rounded to `LANES`: a row is then computed by the same
instructions whoever its neighbours are, and in float32 its vector is the same to the bit
(docs/decisions/006-bit-equal-batches.md).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LANES = 16
"""float32 numbers in one AVX-512 register."""
MASKED = np.float32(-1e9)
LONG = 1024
"""Tokens from which on an item's scores are not all held at once."""

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Group:
    """One rectangle. `slots` int32 `[items, width]` is the packed row of each slot (0 where there is none), `mask`
    float32 `[items, width]` is 0 for a token, `MASKED` for an empty slot and for a token that nobody looks at."""

    slots: Integers
    mask: Floats


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands. `n` is the number of packed rows, tokens and filling together.

    `order`: batch indices, shortest first, as the items stand in the packed rows. `positions` int32 `[n]`.
    `unpack` int32 `[n]`: the flat slot, over all groups, of each packed row. `rows` int32 `[items]`: for each batch
    index its place in `order`. `first`, `last` int32 `[items]`: the packed rows where each batch index begins and ends.
    """

    order: list[int]
    positions: Integers
    groups: tuple[Group, Group, Group]
    unpack: Integers
    rows: Integers
    first: Integers
    last: Integers


def lay_out(lengths: Sequence[int], seen: Sequence[int] | None = None) -> Layout:
    """The layout for items of these lengths (each at least 1), of whose tokens only the first `seen` are looked at."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    ascending = [lengths[index] for index in order]
    starts = np.concatenate(([0], np.cumsum(ascending))).astype(np.int32)
    n = _round_up(int(starts[-1]))
    positions = np.zeros(n, dtype=np.int32)
    for start, length in zip(starts, ascending, strict=False):
        positions[start : start + length] = np.arange(length, dtype=np.int32)
    unpack = np.zeros(n, dtype=np.int32)
    end = bisect.bisect_right(ascending, LONG)
    cut = _best_cut(ascending[:end])
    short = _fill(ascending[:cut], starts[:cut], 0, unpack)
    middle = _fill(ascending[cut:end], starts[cut:end], short.slots.size, unpack)
    long = _fill(ascending[end:], starts[end:-1], short.slots.size + middle.slots.size, unpack)
    if seen is not None:
        _hide([seen[index] for index in order], (short, middle, long))
    rows = np.empty(len(lengths), dtype=np.int32)
    rows[order] = np.arange(len(lengths), dtype=np.int32)
    first = starts[:-1][rows]
    return Layout(order, positions, (short, middle, long), unpack, rows, first, starts[1:][rows] - 1)


def _best_cut(ascending: Sequence[int]) -> int:
    """How many of the shortest items go into the first group, so that the two rectangles of scores are smallest."""
    if not ascending:
        return 0
    count, longest = len(ascending), _round_up(ascending[-1])
    return min(
        range(count), key=lambda k: (k * _round_up(ascending[k - 1]) ** 2 if k else 0) + (count - k) * longest**2
    )


def _fill(lengths: Sequence[int], starts: Integers, offset: int, unpack: Integers) -> Group:
    width = _round_up(lengths[-1]) if lengths else LANES
    slots = np.zeros((len(lengths), width), dtype=np.int32)
    mask = np.full((len(lengths), width), MASKED, dtype=np.float32)
    for row, (length, start) in enumerate(zip(lengths, starts, strict=True)):
        slots[row, :length] = np.arange(start, start + length, dtype=np.int32)
        mask[row, :length] = 0
        begin = offset + row * width
        unpack[start : start + length] = np.arange(begin, begin + length, dtype=np.int32)
    return Group(slots, mask)


def _hide(seen: Sequence[int], groups: Sequence[Group]) -> None:
    """Mask the slots of tokens that nobody looks at."""
    row = 0
    for group in groups:
        for mask in group.mask:
            mask[seen[row] :] = MASKED
            row += 1


def _round_up(length: int) -> int:
    return -(-length // LANES) * LANES
