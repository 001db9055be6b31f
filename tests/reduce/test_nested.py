"""The nested map: its gradients are right, it keeps more neighbours than principal components, and it repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.reduce.components import about_zero
from embedway.reduce.neighbours import nearest, recalls
from embedway.reduce.nested import Plan, entropy, prefix_loss, prefixes, train_nested
from embedway.vectors import unit_rows

from .artefacts import rows, topics

PLAN = Plan(steps=60, anchors=32, near=8, strangers=64)


@given(st.integers(0, 20), st.integers(1, 5))
def test_the_gradients_are_those_of_the_loss(seed: int, length: int) -> None:
    """As finite differences find them, by every number of a row and by the scale."""
    generator = np.random.default_rng(seed)
    heads = generator.standard_normal((7, length))
    anchors = np.array([1, 4])
    targets = generator.random((2, 7))
    targets[[0, 1], anchors] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    _, by_heads, by_scale = prefix_loss(heads, anchors, targets, 0.7)
    tiny = 1e-6
    for place in ((1, 0), (4, length - 1), (6, 0)):
        above, below = heads.copy(), heads.copy()
        above[place] += tiny
        below[place] -= tiny
        slope = (prefix_loss(above, anchors, targets, 0.7)[0] - prefix_loss(below, anchors, targets, 0.7)[0]) / 2e-6
        assert by_heads[place] == pytest.approx(slope, rel=1e-4, abs=1e-7)
    ends = [prefix_loss(heads, anchors, targets, 0.7 + change)[0] for change in (tiny, -tiny)]
    assert by_scale == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_a_perfect_map_loses_nothing() -> None:
    """The cross-entropy of a distribution with itself is its entropy, and nothing is gained by changing the map."""
    found = rows(20, 6).astype(np.float64)
    targets = np.exp(2 * (found[:3] @ found.T))
    targets[np.arange(3), np.arange(3)] = 0
    targets /= targets.sum(axis=1, keepdims=True)
    loss, gradient, _ = prefix_loss(found, np.arange(3), targets, np.log(2))
    assert loss == pytest.approx(entropy(targets), abs=1e-7)
    assert np.allclose(gradient, 0, atol=1e-7)


def test_it_keeps_more_neighbours_than_principal_components() -> None:
    """Of rows that it has not seen, at short lengths, in the mean of 500 rows by more than three standard errors."""
    trained, held_out = topics(2000, 24), topics(1000, 24, 1)
    start = about_zero(trained.T.astype(np.float64) @ trained / len(trained))
    steps: list[tuple[int, int]] = []
    plan = Plan(steps=150, anchors=64, near=16, strangers=128)
    learned = train_nested(trained, start, 0, plan, lambda *at: steps.append(at))
    assert steps == [(step, 150) for step in range(1, 151)]
    true = nearest(held_out, 10, 500)
    for length in (4, 6, 8):
        gained = recalls(true, learned.apply(held_out), length) - recalls(true, start.apply(held_out), length)
        assert gained.mean() > 3 * gained.std() / np.sqrt(len(gained)), length


def test_equal_seeds_give_equal_maps() -> None:
    """And other seeds others."""
    found = rows(300, 12)
    start = about_zero(found.T.astype(np.float64) @ found / len(found))
    first, again, other = (train_nested(found, start, seed, PLAN, lambda *at: None) for seed in (5, 5, 6))
    assert np.array_equal(first.components, again.components)
    assert np.array_equal(first.shift, again.shift)
    assert not np.array_equal(first.components, other.components)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_short_vectors_can_be_reduced_too(width: int) -> None:
    """However few lengths there are."""
    found = rows(200, width)
    start = about_zero(found.T.astype(np.float64) @ found / len(found))
    learned = train_nested(found, start, 0, Plan(steps=3, anchors=8, near=4, strangers=8), lambda *at: None)
    assert np.isfinite(learned.components).all()


@given(st.integers(2, 4000))
def test_the_lengths_that_are_trained_rise_to_the_whole(width: int) -> None:
    """None is longer, the last is all, and none comes twice."""
    lengths = prefixes(width)
    assert lengths == sorted(set(lengths))
    assert lengths[0] >= 2
    assert lengths[-1] == width


@given(st.integers(2, 60), st.integers(1, 8))
def test_the_nearest_are_those_that_sorting_finds(count: int, wanted: int) -> None:
    """Without the row itself, best first."""
    wanted = min(wanted, count - 1)
    found = unit_rows(np.random.default_rng(count).standard_normal((count, 5)))
    closeness = found @ found.T
    np.fill_diagonal(closeness, -2)
    assert np.array_equal(nearest(found, wanted), np.argsort(-closeness, axis=1, kind="stable")[:, :wanted])
