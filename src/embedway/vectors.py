"""What is done to vectors and scores between the model and the wire: shorten, compare, activate, check, quantise,
encode.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pybase64

from embedway.errors import ModelFailed
from embedway.types import Activation, Vector

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8] | npt.NDArray[np.uint8]
Precision = Literal["float", "int8", "uint8", "binary", "ubinary"]
SPREAD = 8
"""The largest number that int8 holds, in root mean squares of a vector's numbers; 16 steps are one of them."""
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


def quantize(vector: Floats, precision: Precision) -> Floats | Bytes:
    """A vector, or `[n, width]` row by row, in fewer bits: by each vector alone, never by what is asked beside it.

    `int8`: scaled and rounded to -127..127, so that 0 stays 0, as Wu et al. 2020 (arXiv:2004.09602), section 3.1.2, do
    it. 127 stands for `SPREAD` times the root mean square: of vectors of length 1 the same number for all, so that dot
    products and distances can be compared as cosines can. Only a vector with a larger number is scaled by that one:
    nothing is clipped. `uint8` is the same and 128: 0 is at 128.
    `ubinary`: a bit for each number, 1 above 0, the first in the highest place of its byte; 0 fills up the last byte.
    `binary`: the same bytes less 128. Both as `quantize_embeddings` of sentence-transformers 6.2 has them, and Cohere's
    and Jina's references name them.
    """
    if precision == "float":
        return vector
    if precision in ("int8", "uint8"):
        steps = _steps(vector)
        return steps if precision == "int8" else (steps.astype(np.int16) + 128).astype(np.uint8)
    packed = np.packbits(vector > 0, axis=-1)
    return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)


def _steps(vector: Floats) -> npt.NDArray[np.int8]:
    whole = vector.astype(np.float64)
    spread = SPREAD * np.sqrt(np.mean(np.square(whole), axis=-1, keepdims=True))
    limit = np.maximum(spread, np.abs(whole).max(axis=-1, keepdims=True))
    return np.rint(whole / np.where(limit > 0, limit, 1) * 127).astype(np.int8)


def encode_base64(vector: Floats | Bytes) -> str:
    """A vector's bytes in base64: little-endian float32, as OpenAI's `encoding_format: "base64"` has it, or one byte a
    number.
    """
    kind = "<f4" if vector.dtype.kind == "f" else vector.dtype
    return pybase64.b64encode(np.ascontiguousarray(vector, dtype=kind).data).decode("ascii")
