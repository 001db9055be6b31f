"""Memory is reserved before it is used, and what does not fit is refused with both figures."""

from __future__ import annotations

import pytest

from embedway.backends.footprint import Need
from embedway.engine.memory import Memory, free_bytes
from embedway.errors import NoRoom

GIB = 2**30


def test_what_only_loading_needs_is_free_again_afterwards() -> None:
    """Given a budget of 10, a model that needs 8 to load and 3 to serve leaves room for another."""
    seen: list[int] = []
    memory = Memory(10, on_change=seen.append)
    first = memory.reserve("first", Need(8, 3))
    with pytest.raises(NoRoom):
        memory.reserve("second", Need(7, 7))
    first.settle()
    second = memory.reserve("second", Need(7, 7))
    first.release()
    first.release()
    second.release()
    assert seen == [8, 3, 10, 7, 7, 0]


def test_a_budget_is_of_the_main_memory() -> None:
    """A model on a GPU takes nothing of it, unless a second copy must fit beside the first there."""
    memory = Memory(10, free={"cuda:0": 50, "cpu": 0}.get)
    memory.reserve("gpu", Need(40, 40, "cuda:0")).settle()
    memory.reserve("cpu", Need(10, 10))
    with pytest.raises(NoRoom, match=r"on cuda:0"):
        memory.reserve("gpu", Need(60, 60, "cuda:0"), beside=True)
    memory.reserve("gpu", Need(50, 50, "cuda:0"), beside=True)


def test_without_a_budget_only_a_second_copy_must_fit() -> None:
    """Into what is free now, less what models being loaded will take."""
    memory = Memory(free=lambda device: 10 * GIB)
    memory.reserve("large", Need(100 * GIB, 100 * GIB)).settle()
    memory.reserve("loading", Need(4 * GIB, 4 * GIB))
    assert memory.missing_bytes(Need(7 * GIB, 7 * GIB), beside=True) == GIB
    with pytest.raises(NoRoom, match=r"second copy of the model 'x' needs about 7\.0 GiB, and only 6\.0 GiB"):
        memory.reserve("x", Need(7 * GIB, 7 * GIB), beside=True)


def test_memory_that_nobody_can_measure_is_no_bound() -> None:
    """On a system that does not tell, a swap is not refused."""
    Memory(free=lambda device: None).reserve("x", Need(10**15, 10**15), beside=True)


def test_free_memory_is_measured_here() -> None:
    """Between a MiB and a PiB on the machine of the tests, or not at all."""
    free = free_bytes("cpu")
    assert free is None or 2**20 < free < 2**50
