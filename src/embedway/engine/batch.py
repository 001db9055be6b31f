"""Which waiting items go through the model together: pure functions, no clock, no threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

WINDOW = 1024
"""How many of the most urgent items are looked at for neighbours of like length."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one batch may hold at most."""

    tokens: int
    items: int


class Queued(Protocol):
    """What `take` reads of a waiting item."""

    @property
    def cost(self) -> int: ...


def take(waiting: Sequence[Queued], budget: Budget) -> list[int]:
    """Indices into `waiting` (most urgent first) of the next batch.

    The most urgent item always goes, even alone above the budget: nothing starves. The rest of the budget is filled
    with the items nearest to it in length, the more urgent first among equals, so that little is lost to padding.
    """
    if not waiting:
        return []
    target = waiting[0].cost
    window = range(1, min(len(waiting), WINDOW))
    chosen, tokens = [0], target
    for index in sorted(window, key=lambda i: abs(waiting[i].cost - target)):
        if len(chosen) >= budget.items or tokens >= budget.tokens:
            break
        if tokens + waiting[index].cost <= budget.tokens:
            chosen.append(index)
            tokens += waiting[index].cost
    return chosen
