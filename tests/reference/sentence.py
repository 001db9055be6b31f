"""What sentence-transformers makes of a model folder: fp32 on the CPU, each text alone, so nothing is padded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Set before the libraries are imported: nothing may be fetched, and no progress bars.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class Encoded:
    """Vectors float32 [texts, dimensions] and token counts int32 [texts], after and before cutting."""

    vectors: NDArray[np.float32]
    tokens: NDArray[np.int32]
    all_tokens: NDArray[np.int32]


def encode(folder: Path, texts: Sequence[str]) -> Encoded:
    """Run the library as a user would: its own tokenizing, cutting, pooling and normalising."""
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    kinds = {parameter.dtype for parameter in model.parameters()}
    if kinds != {torch.float32}:
        raise ValueError(f"the reference must be fp32, not {kinds}")
    vectors = [model.encode(text, show_progress_bar=False) for text in texts]
    return Encoded(
        vectors=np.stack(vectors).astype(np.float32, copy=False),
        tokens=np.array([_count_tokens(model, text) for text in texts], dtype=np.int32),
        all_tokens=np.array([_count_all_tokens(model, text) for text in texts], dtype=np.int32),
    )


def _count_tokens(model: SentenceTransformer, text: str) -> int:
    """Count what the model is given for this text: the library's own features, padding left out."""
    mask: torch.Tensor = model.preprocess([text])["attention_mask"]
    return int(mask.sum())


def _count_all_tokens(model: SentenceTransformer, text: str) -> int:
    """Count the tokens of the whole text, special ones included."""
    return len(model.tokenizer(text, truncation=False, padding=False, verbose=False)["input_ids"])
