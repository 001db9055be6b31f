"""Encoders."""

from __future__ import annotations

from pathlib import Path

from transformers import BertConfig, BertModel

from .builder import Builder, save_embedder

SIZES = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96}


def _bert(folder: Path, pooling: str) -> None:
    config = BertConfig(**SIZES, vocab_size=600, max_position_embeddings=64)
    save_embedder(folder, BertModel(config), "wordpiece", pooling=pooling)


BUILDERS = [
    Builder("bert-mean", "wordpiece", lambda folder: _bert(folder, "mean")),
    Builder("bert-cls", "wordpiece", lambda folder: _bert(folder, "cls")),
]
