"""How well a reduction keeps neighbours, on rows that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from embedway.models.reduction import Quality
from embedway.reduce.neighbours import nearest, recalls
from embedway.vectors import Floats

NEIGHBOURS = 10
ASKED = 1000
"""Rows whose neighbours are looked for, among all that are held out."""

Apply = Callable[[npt.NDArray[np.floating]], Floats]


def sizes(width: int, dimension: int) -> list[int]:
    """The lengths at which a reduction is measured: the powers of two from 8 on, and those that matter by name."""
    powers = {2**power for power in range(3, 12) if 2**power < width}
    return sorted(powers | {dimension, max(1, width // 3), width * 3 // 4, width})


def measure(rows: Floats, ours: Apply, components: Apply, lengths: Sequence[int]) -> list[Quality]:
    """`rows` are of length 1 and held out; at least `NEIGHBOURS` + 1 of them."""
    true = nearest(rows, NEIGHBOURS, ASKED)
    reduced, principal = ours(rows), components(rows)
    return [
        Quality(
            dimensions=length,
            recall=_mean(recalls(true, reduced, length)),
            cut=_mean(recalls(true, rows, length)),
            pca=_mean(recalls(true, principal, length)),
        )
        for length in lengths
    ]


def _mean(shares: npt.NDArray[np.float64]) -> float:
    return round(float(shares.mean()), 4)
