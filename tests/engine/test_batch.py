"""Which items go together."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from embedway.engine.batch import Budget, take


@dataclass(frozen=True)
class Piece:
    cost: int


pieces = st.lists(st.builds(Piece, cost=st.integers(1, 600)), max_size=60)
budgets = st.builds(Budget, tokens=st.integers(1, 4096), items=st.integers(1, 64))


def test_an_empty_queue_gives_an_empty_batch() -> None:
    """Nothing waits, nothing is taken."""
    assert take([], Budget(10, 10)) == []


@given(pieces.filter(bool), budgets)
def test_the_most_urgent_item_always_goes(queue: list[Piece], budget: Budget) -> None:
    """Whatever its size: nothing starves."""
    assert take(queue, budget)[0] == 0


@given(pieces, budgets)
def test_a_batch_keeps_its_budget(queue: list[Piece], budget: Budget) -> None:
    """Unless its first item alone is larger; no item is taken twice."""
    chosen = take(queue, budget)
    assert len(chosen) == len(set(chosen)) <= budget.items
    assert len(chosen) <= 1 or sum(queue[index].cost for index in chosen) <= budget.tokens


@given(pieces.filter(bool), budgets)
def test_nothing_that_fits_is_left_out_for_something_further_away(queue: list[Piece], budget: Budget) -> None:
    """An item left behind is no nearer in length than one taken, or there was no room for it."""
    chosen = take(queue, budget)
    room = budget.tokens - sum(queue[index].cost for index in chosen)
    if len(chosen) == budget.items or room < 0:
        return
    distance = [abs(piece.cost - queue[0].cost) for piece in queue]
    furthest = max(distance[index] for index in chosen)
    for index in set(range(len(queue))) - set(chosen):
        assert queue[index].cost > room or distance[index] > furthest


def test_neighbours_in_length_are_preferred_to_neighbours_in_time() -> None:
    """A short text is not made to wait for, or padded to, a long one."""
    assert take([Piece(10), Piece(300), Piece(12), Piece(9)], Budget(31, 8)) == [0, 3, 2]


def test_every_item_is_served_in_the_end() -> None:
    """Taking again and again empties any queue, the odd one out included."""
    queue = [Piece(300), *[Piece(5)] * 100]
    rounds = 0
    while queue:
        gone = set(take(queue, Budget(64, 8)))
        queue = [piece for index, piece in enumerate(queue) if index not in gone]
        rounds += 1
    assert rounds == 14
