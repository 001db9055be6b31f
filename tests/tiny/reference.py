"""What the reference libraries answer for a tiny model's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.reference import sentence

from .texts import TEXTS


def answer(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """`dense` float32 `[texts, dimensions]` and `counts` int32 `[texts]`, the tokens of each."""
    encoded = sentence.encode(folder, TEXTS)
    require_spread(encoded.vectors)
    return {"dense": encoded.vectors, "counts": encoded.tokens}


def require_spread(vectors: npt.NDArray[np.float32]) -> None:
    """Refuse a network that gives all texts much the same vector: agreeing on it would prove nothing."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    typical = float(np.median(units @ units.T))
    if typical > 0.9:
        raise ValueError(f"the network tells texts apart too little: median cosine {typical:.3f}")
