"""Gradient descent with a step of its own for each number: Adam (Kingma & Ba 2014, arXiv:1412.6980)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
MEMORY, SQUARES = 0.9, 0.99
RISE = 20
"""Steps in which the rate rises from 0: the first gradients say little of how large they will be."""


class Adam:
    """Changes `values` in place; the rate falls to 0 over `steps` as half a cosine does."""

    def __init__(self, values: Sequence[Array], rate: float, steps: int) -> None:
        self._values = values
        self._means = [np.zeros_like(value) for value in values]
        self._squares = [np.zeros_like(value) for value in values]
        self._rate, self._steps, self._done = rate, steps, 0

    def step(self, gradients: Sequence[Array]) -> None:
        rate = self._rate * min(1.0, (self._done + 1) / RISE) * (1 + math.cos(math.pi * self._done / self._steps)) / 2
        self._done += 1
        young, younger = 1 - MEMORY**self._done, 1 - SQUARES**self._done
        for value, mean, square, gradient in zip(self._values, self._means, self._squares, gradients, strict=True):
            mean += (1 - MEMORY) * (gradient - mean)
            square += (1 - SQUARES) * (np.square(gradient) - square)
            value -= rate * (mean / young) / (np.sqrt(square / younger) + 1e-8)
