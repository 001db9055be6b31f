"""Numbers for the weights of a tiny network: random, and the same on every machine."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

Shapes = Mapping[str, Sequence[int]]


def numbers(name: str, shape: Sequence[int], loud: bool = False) -> npt.NDArray[np.float32]:
    """A tensor's numbers, from its name and shape.

    Matrices get a spread of 1.5 / sqrt(inputs), so signals keep their size and attention is not flat; biases and norms
    get random numbers too, so that none can be forgotten unnoticed. `loud` makes them larger by 4: for the embeddings
    of tokens, so that texts are told apart.
    """
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if len(shape) > 1:
        return np.asarray(noise * np.float32((6.0 if loud else 1.5) / math.sqrt(math.prod(shape[1:]))))
    return np.asarray(np.float32(0.2) * noise + np.float32(1.0 if name.endswith("weight") else 0.0))


def write_weights(path: Path, shapes: Shapes, vocabulary: int, dtype: str = "float32") -> None:
    """Write a safetensors file with these tensors; a table with a row for each token of the vocabulary is loud."""
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    tensors = {
        name: numbers(name, shape, loud=len(shape) == 2 and shape[0] == vocabulary).astype(kind)
        for name, shape in shapes.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={"format": "pt"})


def read_shapes(path: Path) -> dict[str, list[int]]:
    """Names and shapes of a safetensors file's tensors, in its order."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: tensor["shape"] for name, tensor in header.items() if name != "__metadata__"}
