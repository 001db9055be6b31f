"""What is done to vectors and scores between the model and the wire: shorten, compare, activate, check, encode."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pybase64

from embedway.errors import ModelFailed
from embedway.types import Activation, Vector

Floats = npt.NDArray[np.float32]
COMPARED_TOGETHER = 1024
"""Tokens of a document that are compared with a query at a time."""


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


def late_interaction(query: Floats, document: Floats) -> float:
    """How well a document's token vectors cover a query's: the mean, over the query's tokens, of the largest cosine
    with a token of the document. It lies in [-1, 1]; 0 where one of the two has no tokens.

    MaxSim, Khattab & Zaharia 2020 (arXiv:2004.12832), section 3.3, with the mean in place of the sum, so that scores of
    short and long queries can be compared. Both are `[tokens, width]` with rows of length 1.
    """
    if not len(query) or not len(document):
        return 0.0
    largest = np.full(len(query), -1.0, dtype=np.float32)
    for start in range(0, len(document), COMPARED_TOGETHER):  # two long texts' cosines together would fill the memory
        np.maximum(largest, (query @ document[start : start + COMPARED_TOGETHER].T).max(axis=1), out=largest)
    return float(largest.mean())


def unit_rows(rows: npt.NDArray[np.floating]) -> Floats:
    """`[n, width]` with each row brought to length 1, in float32; a row of zeros stays."""
    whole = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(whole / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def activate(logits: Floats, activation: Activation) -> Floats:
    """`[labels]` -> `[labels]`: logits as the model's own library shows them."""
    if activation == "identity":
        return logits
    whole = logits.astype(np.float64)
    if activation == "softmax":
        powers = np.exp(whole - whole.max())
        return np.asarray(powers / powers.sum(), dtype=np.float32)
    smaller = np.exp(-np.abs(whole))  # never larger than 1, however far the logit is from 0
    return np.asarray(np.where(whole >= 0, 1.0, smaller) / (1.0 + smaller), dtype=np.float32)


def check_finite(vector: Vector) -> None:
    """Raise `ModelFailed` for a vector with NaN or infinity: JSON cannot say them and no index should store them."""
    if not np.isfinite(vector).all():
        raise ModelFailed("The model returned a vector that is not finite (NaN or infinity) for this input.")


def encode_base64(vector: Vector) -> str:
    """The vector's little-endian float32 bytes in base64, as OpenAI's `encoding_format: "base64"` has it."""
    return pybase64.b64encode(np.ascontiguousarray(vector, dtype="<f4").data).decode("ascii")
