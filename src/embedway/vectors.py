"""What is done to a vector between the model and the wire: shorten, check, encode."""

from __future__ import annotations

import numpy as np
import pybase64

from embedway.errors import ModelFailed
from embedway.types import Vector


def shorten(vector: Vector, dimensions: int | None) -> Vector:
    """Cut a vector to its first `dimensions` numbers and bring it back to length 1.

    Nested ("matryoshka") representations, Kusupati et al. 2022 (arXiv:2205.13147), are compared by cosine after
    cutting: without the second normalisation a dot product would rank by how much of the norm was cut off. None keeps
    the vector.
    """
    if dimensions is None or dimensions == len(vector):
        return vector
    head = vector[:dimensions].astype(np.float64)
    norm = float(np.linalg.norm(head))
    return (head / norm if norm > 0 else head).astype(np.float32)


def check_finite(vector: Vector) -> None:
    """Raise `ModelFailed` for a vector with NaN or infinity: JSON cannot say them and no index should store them."""
    if not np.isfinite(vector).all():
        raise ModelFailed("The model returned a vector that is not finite (NaN or infinity) for this input.")


def encode_base64(vector: Vector) -> str:
    """The vector's little-endian float32 bytes in base64, as OpenAI's `encoding_format: "base64"` has it."""
    return pybase64.b64encode(np.ascontiguousarray(vector, dtype="<f4").data).decode("ascii")
