"""Principal components: the directions in which vectors differ most, the first the most telling.

Pearson 1901; with scikit-learn's meaning of whitening. Two kinds: about 0, which keeps cosines as they are when all
components are taken and most of them when few are; and about the mean, which is what the name says and what whitening
needs. Bringing centred vectors to length 1 changes who is whose neighbour, so the first is the better start
(docs/decisions/025-reduction.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedway.errors import InvalidInput

Matrix = npt.NDArray[np.float64]
LEAST_SHARE = 1e-9
"""Of the variance: a direction with less is one in which the vectors do not differ."""
SAME = "All vectors are the same, or point the same way: there is nothing to learn from them."


@dataclass(frozen=True, slots=True)
class Map:
    """x -> `components` x + `shift`, in float64: `[width, width]` and `[width]`."""

    components: Matrix
    shift: Matrix

    def apply(self, rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        return np.asarray(rows @ self.components.T + self.shift, dtype=np.float32)


def directions(moments: Matrix) -> tuple[Matrix, Matrix]:
    """The eigenvalues of a symmetric matrix, the largest first and none below 0, and the eigenvectors as rows.

    A vector's sign is its own choice: here its largest number is positive, so that equal data give equal files.
    """
    values, vectors = np.linalg.eigh(moments)
    rows = vectors.T[::-1]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return np.maximum(values[::-1], 0.0), rows * np.where(largest < 0, -1.0, 1.0)


def explained(covariance: Matrix) -> Matrix:
    """Entry i is the share of the variance that the first i + 1 components have."""
    values, _ = directions(covariance)
    return np.asarray(np.cumsum(values) / values.sum())


def check_variety(covariance: Matrix, dimension: int) -> None:
    """Raise `InvalidInput` for vectors that are all the same, or differ in fewer directions than are asked for."""
    values, _ = directions(covariance)
    if values.sum() < LEAST_SHARE:  # vectors have length 1
        raise InvalidInput(SAME)
    found = int((values > LEAST_SHARE * values.sum()).sum())
    if found < dimension:
        raise InvalidInput(
            f"The vectors differ in {found} directions only: give --dimension {found} or less, or more various data."
        )


def about_zero(moments: Matrix) -> Map:
    """A rotation."""
    _, rows = directions(moments)
    return Map(rows, np.zeros(len(rows)))


def about_mean(covariance: Matrix, mean: Matrix, whiten: bool) -> Map:
    """Centred; whitened, every component that varies gets the variance 1 / width."""
    values, rows = directions(covariance)
    if whiten:
        varied = values > LEAST_SHARE * values.sum()
        rows = rows / np.sqrt(np.where(varied, values, np.inf) * len(rows))[:, None]
    return Map(rows, -rows @ mean)
