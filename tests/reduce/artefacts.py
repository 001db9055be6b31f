"""Reductions made without training: a rotation drawn by chance, and rows that lie near a few directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedway.models.reduction import FORMAT, Base, Card, Data, Quality
from embedway.reduce.artefact import write_artefact
from embedway.reduce.components import Map

FAKE = Base("fake", "fake")
"""The base model of tests: its vectors depend on the text alone, and its revision is `fake`."""


def card(width: int, dimension: int, base: Base | None = FAKE, name: str = "made") -> Card:
    return Card(
        format=FORMAT,
        name=name,
        method="pca",
        whitened=False,
        width=width,
        dimension=dimension,
        base=base,
        data=Data("0" * 64, 100, 1, 90, 10),
        quality=[Quality(size, size / width, size / width / 2, size / width / 3) for size in (dimension, width)],
        explained=[(index + 1) / width for index in range(width)],
        seed=0,
        versions={"embedway": "0"},
    )


def rotation(width: int, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]


def make(folder: Path, width: int, dimension: int, base: Base | None = FAKE) -> Path:
    """An artefact whose map is a rotation without a shift."""
    write_artefact(folder, card(width, dimension, base), Map(rotation(width), np.zeros(width)))
    return folder


def make_all(folder: Path) -> None:
    """Those that the servers of the tests have: for `fake:16`, and for vectors of 4 and 600 numbers."""
    make(folder / "sixteen", 16, 6)
    make(folder / "four", 4, 2, None)
    make(folder / "wide", 600, 64, None)


def rows(count: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Vectors of length 1 that differ more in some directions than in others, turned by a rotation, with a mean."""
    generator = np.random.default_rng(seed)
    found = generator.standard_normal((count, width)) * np.linspace(1, 0.05, width) ** 2
    found[:, 0] += 0.5
    found = found @ rotation(width, 1)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def topics(count: int, width: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Vectors of length 1 about twenty topics: far apart in some directions, and in others near neighbours differ."""
    generator = np.random.default_rng(seed)
    half = width // 2
    centres = np.random.default_rng(99).standard_normal((20, half))
    found = 0.4 * generator.standard_normal((count, width)) * np.linspace(1, 0.1, width)[::-1]
    found[:, :half] += centres[generator.integers(0, 20, count)]
    found = found @ rotation(width, 1)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
