"""What is kept of a stream of vectors: how many there were, their second moments, and a sample of them.

The sample is of the rows whose digests are the least (bottom-k sampling): it does not depend on the order of the rows,
and a row that comes twice counts once in it. The digest also says which rows are held out, so that no row is both
trained on and measured with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embedway.vectors import Floats, unit_rows

Keys = npt.NDArray[np.uint64]
HELD_OUT = 10
"""One row of so many is held out."""
KEPT_BYTES = 192 * 2**20
MOST_TRAINED, MOST_HELD_OUT = 32_768, 8_192
"""Rows of the samples; less where rows are long, so that both take no more than `KEPT_BYTES`."""


class Sample:
    """The `most` distinct rows with the least keys, in the order of their keys."""

    def __init__(self, width: int, most: int) -> None:
        self._keys: Keys = np.empty(0, dtype=np.uint64)
        self._rows: Floats = np.empty((0, width), dtype=np.float32)
        self._waiting: list[tuple[Keys, Floats]] = []
        self._most = most

    @property
    def keys(self) -> Keys:
        self._settle()
        return self._keys

    @property
    def rows(self) -> Floats:
        self._settle()
        return self._rows

    def add(self, keys: Keys, rows: Floats) -> None:
        if len(self._keys) == self._most:
            near = keys < self._keys[-1]
            keys, rows = keys[near], rows[near]
        if len(keys):
            self._waiting.append((keys, rows))
        if sum(len(keys) for keys, _ in self._waiting) > self._most // 8:  # not for each piece: all rows are moved
            self._settle()

    def _settle(self) -> None:
        if self._waiting:
            rows = np.concatenate([self._rows, *(rows for _, rows in self._waiting)])
            keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
            self._waiting.clear()
            self._keys, places = np.unique(keys, return_index=True)
            self._keys, self._rows = self._keys[: self._most], rows[places[: self._most]]


class Stream:
    """Adds up rows of one width."""

    def __init__(self, width: int, seed: int) -> None:
        self.rows = 0
        self.width = width
        most = KEPT_BYTES // (4 * width)
        self.trained = Sample(width, min(MOST_TRAINED, most * 4 // 5))
        self.held_out = Sample(width, min(MOST_HELD_OUT, most // 5))
        self._sum = np.zeros(width)
        self._moments = np.zeros((width, width))
        self._count = 0
        self._seed = seed.to_bytes(8, "little")

    def add(self, vectors: Floats) -> None:
        """`[rows, width]`, finite and not 0."""
        rows = unit_rows(vectors / np.abs(vectors).max(axis=1, keepdims=True))  # squares of 1e30 are no float32
        self.rows += len(rows)
        keys = self._keys(rows)
        held_out = keys % np.uint64(HELD_OUT) == 0
        self.held_out.add(keys[held_out], rows[held_out])
        self.trained.add(keys[~held_out], rows[~held_out])
        exact = rows[~held_out].astype(np.float64)
        self._count += len(exact)
        self._sum += exact.sum(axis=0)
        self._moments += exact.T @ exact

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Of the rows that are not held out."""
        return self._sum / self._count

    @property
    def moments(self) -> npt.NDArray[np.float64]:
        """The mean of x xᵀ, about 0."""
        return self._moments / self._count

    @property
    def covariance(self) -> npt.NDArray[np.float64]:
        return self.moments - np.outer(self.mean, self.mean)

    def _keys(self, rows: Floats) -> Keys:
        digests: Sequence[bytes] = [
            hashlib.blake2b(row.tobytes(), digest_size=8, key=self._seed).digest() for row in rows
        ]
        return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
