"""A linear map whose every prefix keeps neighbours: one set of components for all lengths.

The map starts from principal components and is trained by gradient. For an anchor row x and the candidates c around it,
the whole vectors say how near each candidate is: p = softmax(cos(x, c) / T). Cut to d numbers, the mapped vectors say
q_d in the same way. What is made small is the sum over several d of w_d · KL(p ‖ q_d), with a temperature of its own
for each d that is learned too.

That the losses of all prefixes are summed is Matryoshka representation learning (Kusupati et al. 2022,
arXiv:2205.13147). That a map behind a finished model is trained so, and by the similarities of neighbours, is the
Matryoshka-Adaptor (Yoon et al. 2024, arXiv:2407.20243). Neighbourhoods as distributions are from stochastic neighbour
embedding (Hinton & Roweis 2002). The gradients are written out here, so that NumPy is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedway.reduce.adam import Adam
from embedway.reduce.components import Map
from embedway.reduce.neighbours import Places, nearest
from embedway.vectors import Floats

Progress = Callable[[int, int], None]
"""Called with the steps that are done, and their number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained; `docs/decisions/025-reduction.md` says what was tried.

    A step looks at `anchors` rows, each with its `near` nearest rows among the candidates, and `strangers` rows drawn
    by chance, which are candidates for all. `rate` is Adam's, in units of 1 / √width, the size of a rotation's numbers.
    A prefix weighs KL(p ‖ q_d) of the start to the power of -`evenness`: with 1 all prefixes count alike however small
    the loss of the longer ones is.
    """

    steps: int = 1500
    anchors: int = 128
    near: int = 32
    strangers: int = 1024
    temperature: float = 0.05
    rate: float = 0.02
    evenness: float = 0.85


@dataclass(frozen=True, slots=True)
class _Batch:
    """`rows` float32 `[candidates, width]`; `anchors` are places among them; `targets` float32 `[anchors, candidates]`
    are the distributions p, 0 for the anchor itself.
    """

    rows: Floats
    anchors: Places
    targets: Floats
    entropy: float


def prefixes(width: int) -> list[int]:
    """The lengths whose losses are summed."""
    return sorted({max(2, width * share // 48) for share in (2, 4, 8, 16, 24, 32, 48)})


def train_nested(rows: Floats, start: Map, seed: int, plan: Plan, progress: Progress) -> Map:
    """`rows` `[n, width]` of length 1, n > `near` and `anchors`. Equal arguments give equal maps on one machine."""
    generator = np.random.default_rng(seed)
    near = nearest(rows, min(plan.near, len(rows) - 1))
    lengths = prefixes(rows.shape[1])
    components, shift = start.components.astype(np.float32), start.shift.astype(np.float32)
    scales = np.full(len(lengths), np.log(1 / plan.temperature))
    weights = _weights(rows, near, components, shift, scales, lengths, plan, generator)
    adam = Adam([components, shift], plan.rate / np.sqrt(rows.shape[1]), plan.steps)
    adam_scales = Adam([scales], plan.rate, plan.steps)
    for step in range(plan.steps):
        batch = _draw(rows, near, plan, generator)
        _, by_components, by_shift, by_scales = _losses(batch, components, shift, scales, lengths, weights)
        adam.step([by_components, by_shift])
        adam_scales.step([by_scales])
        progress(step + 1, plan.steps)
    return Map(components.astype(np.float64), shift.astype(np.float64))


def _draw(rows: Floats, near: Places, plan: Plan, generator: np.random.Generator) -> _Batch:
    anchors = generator.choice(len(rows), min(plan.anchors, len(rows)), replace=False)
    strangers = generator.integers(0, len(rows), plan.strangers)
    places = np.unique(np.concatenate([anchors, near[anchors].ravel(), strangers]))
    chosen, own = rows[places], np.searchsorted(places, anchors)
    closeness = chosen[own] @ chosen.T
    targets, _ = _softmax(closeness / np.float32(plan.temperature), own)
    return _Batch(chosen, own, targets, entropy(targets))


def _weights(
    rows: Floats,
    near: Places,
    components: Floats,
    shift: Floats,
    scales: npt.NDArray[np.float64],
    lengths: Sequence[int],
    plan: Plan,
    generator: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """What the start loses at each length, over some batches, to the power of -evenness."""
    even = np.ones(len(lengths))
    lost = np.zeros(len(lengths))
    for _ in range(8):
        lost += _losses(_draw(rows, near, plan, generator), components, shift, scales, lengths, even)[0] / 8
    lost[-1] = lost[-2:][
        0
    ]  # whole vectors lose nothing at the start: they shall weigh as much as the next shorter ones
    return np.asarray(np.maximum(lost, 1e-6) ** -plan.evenness)


def _losses(
    batch: _Batch,
    components: Floats,
    shift: Floats,
    scales: npt.NDArray[np.float64],
    lengths: Sequence[int],
    weights: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], Floats, Floats, npt.NDArray[np.float64]]:
    """KL(p ‖ q_d) for each length, and the weighted sum's gradients by components, shift and scales.

    `scales` are the logarithms of 1 / temperature.
    """
    mapped = batch.rows @ components.T + shift
    by_mapped = np.zeros_like(mapped)
    losses, by_scales = np.zeros(len(lengths)), np.zeros(len(lengths))
    for index, length in enumerate(lengths):
        losses[index], by_head, by_scale = prefix_loss(mapped[:, :length], batch.anchors, batch.targets, scales[index])
        by_mapped[:, :length] += np.float32(weights[index]) * by_head
        by_scales[index] = weights[index] * by_scale
    return losses - batch.entropy, by_mapped.T @ batch.rows, by_mapped.sum(axis=0), by_scales


def prefix_loss(
    heads: npt.NDArray[np.floating], anchors: Places, targets: npt.NDArray[np.floating], scale: float
) -> tuple[float, npt.NDArray[np.floating], float]:
    """The cross-entropy of p and q in the mean over the anchors, KL(p ‖ q) and the entropy of p; its gradient by
    `heads` `[candidates, length]`; and that by `scale`.
    """
    norms = np.maximum(np.linalg.norm(heads, axis=1, keepdims=True), 1e-12)
    units = heads / norms
    sharpness = heads.dtype.type(np.exp(scale))
    cosines = units[anchors] @ units.T
    found, totals = _softmax(sharpness * cosines, anchors)
    loss = float((totals.sum() - sharpness * (targets * cosines).sum()) / len(anchors))
    by_logits = (found - targets) / len(anchors)
    by_scale = float((by_logits * cosines).sum() * sharpness)
    by_cosines = by_logits * sharpness
    by_units = by_cosines.T @ units[anchors]
    by_units[anchors] += by_cosines @ units
    return loss, (by_units - (by_units * units).sum(axis=1, keepdims=True) * units) / norms, by_scale


def entropy(targets: npt.NDArray[np.floating]) -> float:
    """Of the distributions in the rows, in the mean."""
    return float(-(targets * np.log(np.maximum(targets, 1e-30))).sum() / len(targets))


def _softmax(
    logits: npt.NDArray[np.floating], anchors: Places
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Row by row, without the anchor itself; and the logarithms of what was divided by, `[anchors, 1]`."""
    logits[np.arange(len(anchors)), anchors] = -np.inf
    largest = logits.max(axis=1, keepdims=True)
    powers = np.exp(logits - largest)
    sums = powers.sum(axis=1, keepdims=True)
    return powers / sums, largest + np.log(sums)
