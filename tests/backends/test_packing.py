"""The layout of a batch."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embedway.backends.packing import LANES, LONG, lay_out

lengths = st.lists(st.integers(1, 300) | st.integers(LONG - 2, LONG + 300), min_size=1, max_size=40)


@given(lengths)
def test_every_token_has_one_slot_and_finds_its_way_back(sizes: list[int]) -> None:
    """Reading the slots and unpacking them gives the packed rows again, for all groups together."""
    layout = lay_out(sizes)
    slots = np.concatenate([group.slots.ravel() for group in layout.groups])
    total = sum(sizes)
    assert np.array_equal(slots[layout.unpack[:total]], np.arange(total))
    held = sum(int((group.mask == 0).sum()) for group in layout.groups)
    assert held == total


@given(lengths)
def test_rows_lead_each_batch_index_to_its_own_tokens(sizes: list[int]) -> None:
    """`first` and `last` enclose as many rows as the item has tokens; `rows` is the inverse of `order`."""
    layout = lay_out(sizes)
    assert (layout.last - layout.first + 1).tolist() == sizes
    assert [layout.order[row] for row in layout.rows] == list(range(len(sizes)))
    for index, size in enumerate(sizes):
        begin = layout.first[index]
        assert np.array_equal(layout.positions[begin : begin + size], np.arange(size))


@given(lengths)
def test_extents_are_whole_registers(sizes: list[int]) -> None:
    """What makes a vector the same to the bit whoever its neighbours are."""
    layout = lay_out(sizes)
    assert len(layout.positions) % LANES == 0
    assert all(group.slots.shape[1] % LANES == 0 for group in layout.groups)


def test_short_texts_do_not_pay_for_a_long_one() -> None:
    """Thirty short texts beside one of 256 tokens: the long one gets a rectangle of its own."""
    layout = lay_out([10] * 30 + [256])
    assert [group.slots.shape for group in layout.groups] == [(30, 16), (1, 256), (0, 16)]


def test_a_lone_text_has_one_group() -> None:
    """The others are empty and cost nothing."""
    assert [group.slots.shape for group in lay_out([7]).groups] == [(0, 16), (1, 16), (0, 16)]


def test_long_texts_stand_apart() -> None:
    """Alone or beside others: their attention is another."""
    assert [group.slots.shape for group in lay_out([LONG + 1]).groups] == [(0, 16), (0, 16), (1, LONG + 16)]
    assert [group.slots.shape for group in lay_out([LONG + 1, 5, LONG]).groups] == [(1, 16), (1, LONG), (1, LONG + 16)]


@given(lengths, st.randoms())
def test_tokens_that_nobody_looks_at_keep_their_slots(sizes: list[int], random: Random) -> None:
    """Only the mask tells them from the others."""
    seen = [random.randint(1, size) for size in sizes]
    plain, hidden = lay_out(sizes), lay_out(sizes, seen)
    for one, other in zip(plain.groups, hidden.groups, strict=True):
        assert np.array_equal(one.slots, other.slots)
    masks = [mask for group in hidden.groups for mask in group.mask]
    assert [int((mask == 0).sum()) for mask in masks] == [seen[index] for index in hidden.order]
    assert all((mask[: int((mask == 0).sum())] == 0).all() for mask in masks)
