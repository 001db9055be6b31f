"""The BERT family: a tiny network with random weights, as the library saves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from . import tiny


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_tiny_bert_gives_the_library_s_vectors(
    pooling: str, tmp_path: Path, report: Callable[[object], None]
) -> None:
    config = BertConfig(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=64,
    )
    folder = tiny.write(tmp_path, BertModel(config), pooling=pooling, limit_tokens=48)
    report(tiny.check(folder))
