"""What a pass in torch works on: a model's tensors on its device, and a batch's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import ml_dtypes
import numpy as np
import torch

from embedway.models.families.ops import Floats
from embedway.models.weights import Weights
from embedway.types import Features

Tensor = Any


class TorchWeights:
    """A model's tensors on its device in its precision, each brought there once, from the mapped file."""

    def __init__(self, weights: Weights, device: Any, dtype: Any, max_tokens: int) -> None:
        self.device, self.dtype = device, dtype
        self._weights = weights
        self._max_tokens = max_tokens
        self._kept: dict[tuple[str, Any], Tensor] = {}
        self._turns: dict[bytes, tuple[Tensor, Tensor]] = {}

    def tensor(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """Raises `ModelFilesError` when it is absent or not of `shape`."""
        key = name, dtype or self.dtype
        if key not in self._kept:
            self._kept[key] = from_file(self._weights.stored(name, shape)).to(self.device, key[1])
        return self._kept[key]

    def has(self, name: str) -> bool:
        return name in self._weights

    def numbers(self, name: str, shape: tuple[int, ...]) -> Floats:
        """As float32, for what is computed before the network runs."""
        return self._weights.tensor(name, shape)

    def turns(self, frequencies: Floats, factor: float) -> tuple[Tensor, Tensor]:
        """Cosine and sine for every position, float32 `[max_tokens, 1, r]`."""
        key = frequencies.tobytes() + np.float32(factor).tobytes()
        if key not in self._turns:
            angles = np.arange(self._max_tokens, dtype=np.float32)[:, None, None] * frequencies
            cosine, sine = (
                torch.from_numpy(of(angles) * np.float32(factor)).to(self.device) for of in (np.cos, np.sin)
            )
            self._turns[key] = cosine, sine
        return self._turns[key]


@dataclass(frozen=True, slots=True)
class Run:
    """Items of one length that stand one behind the other, from packed row `start` on; `place` is the first one's in
    the order of the batch.
    """

    start: int
    items: int
    length: int
    place: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + self.items * self.length)


class TorchTokens:
    """A batch on the device, shortest item first. `rows` says where each batch index stands in that order, `first` at
    which packed row it begins. `seen` is how many of each item's tokens are looked at, in that order; None means all.
    """

    def __init__(self, batch: Sequence[Features], device: Any) -> None:
        order = sorted(range(len(batch)), key=lambda index: batch[index].cost)
        lengths = [batch[index].cost for index in order]
        ends = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        rows = np.empty(len(batch), dtype=np.int64)
        rows[order] = np.arange(len(batch))
        zeros = np.zeros(lengths[-1], dtype=np.int32)
        kinds = [batch[index].types for index in order]
        self.ids = send(np.concatenate([batch[index].ids for index in order]), device)
        self.positions = send(np.concatenate([np.arange(length, dtype=np.int32) for length in lengths]), device)
        self.types = send(
            np.concatenate([zeros[:n] if kind is None else kind for kind, n in zip(kinds, lengths, strict=True)]),
            device,
        )
        pixels = [one.pixels for one in (batch[index] for index in order) if one.pixels is not None]
        self.pixels = send(np.concatenate(pixels), device) if pixels else None
        self.first = ends[:-1][rows]
        self.ends = send(ends, device)
        self.rows = send(rows, device)
        self.longest = lengths[-1]
        seen = [batch[index].seen or batch[index].cost for index in order]
        self.seen = None if seen == lengths else np.array(seen, dtype=np.int64)
        self.runs = tuple(find_runs(lengths))


def from_file(array: Any) -> Tensor:
    """A tensor over the same memory; NumPy's bfloat16 is not torch's."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def find_runs(ascending: Sequence[int]) -> Iterator[Run]:
    """Items of one length after the other."""
    start = place = 0
    for length, same in groupby(ascending):
        run = Run(start, len(list(same)), length, place)
        yield run
        start, place = run.rows.stop, place + run.items


def send(array: Any, device: Any) -> Tensor:
    """A NumPy array, on the device."""
    return torch.from_numpy(array).to(device)
