"""Token vectors of embedders without a head for them: the last hidden states of transformers."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from embedway.backends.open import open_backend
from embedway.models.source import find_model
from embedway.types import BackendName, ModelSpec, Output, Text

SOURCE = "all-MiniLM-L6-v2"
TEXTS = ["hi", "I believe the meaning of life is", "科学技术是第一生产力", "a 😀 b", "word " * 60]


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_token_vectors_are_hidden_states_of_length_one(backend: BackendName) -> None:
    """Without the tokens that stand for no text; the same on both backends, in a batch of mixed lengths."""
    folder = find_model(SOURCE, None).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with closing(open_backend(ModelSpec("m", SOURCE, dtype="fp32", backend=backend, device="cpu"))) as ours:
        features = [ours.prepare(Text(text, outputs=Output.TOKENS)) for text in TEXTS]
        found = [outputs.tokens for outputs in ours.run(features)]
    for text, rows in zip(TEXTS, found, strict=True):
        given = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden = network(**given).last_hidden_state[0].numpy()
        kept = ~np.isin(given["input_ids"][0].numpy(), tokenizer.all_special_ids)
        wanted = hidden[kept] / np.linalg.norm(hidden[kept], axis=1, keepdims=True)
        assert rows is not None
        assert rows.shape == wanted.shape
        assert np.abs(rows - wanted).max() < 1e-4
