"""Nearest rows by cosine, exactly, and how many of them a shorter vector keeps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embedway.vectors import Floats, unit_rows

Places = npt.NDArray[np.int64]
TOGETHER = 256
"""Rows that are compared with all others at a time."""


def nearest(rows: Floats, count: int, asked: int | None = None) -> Places:
    """Of each of the first `asked` rows of length 1 (None: all), the places of the `count` others with the largest
    dot product, int64 `[asked, count]`, best first. Of equal ones, the earlier goes first.
    """
    asked = len(rows) if asked is None else min(asked, len(rows))
    found = np.empty((asked, count), dtype=np.int64)
    for start in range(0, asked, TOGETHER):
        stop = min(start + TOGETHER, asked)
        closeness = rows[start:stop] @ rows.T
        closeness[np.arange(stop - start), np.arange(start, stop)] = -np.inf
        best = np.sort(np.argpartition(-closeness, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(-np.take_along_axis(closeness, best, axis=1), axis=1, kind="stable")
        found[start:stop] = np.take_along_axis(best, order, axis=1)
    return found


def recalls(true: Places, rows: Floats, dimensions: int) -> npt.NDArray[np.float64]:
    """For each row of `true`, the share of its neighbours that the first `dimensions` numbers of `rows` find too."""
    found = nearest(unit_rows(rows[:, :dimensions]), true.shape[1], len(true))
    return np.asarray((true[:, :, None] == found[:, None, :]).any(axis=2).mean(axis=1))
