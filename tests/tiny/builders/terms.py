"""Sparse encoders: SPLADE on masked language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

from .builder import LIMIT_TOKENS, Builder, fast_tokenizer
from .encoders import DISTILBERT, ROBERTA, SIZES


def _build(folder: Path, network: PreTrainedModel, tokenizer: str, **pooling: Any) -> None:
    plain = folder.parent / "network"
    network.save_pretrained(plain)
    fast_tokenizer(tokenizer).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=LIMIT_TOKENS, transformer_task="fill-mask")
    modules = [transformer, SpladePooling(**pooling)]
    SparseEncoder(modules=modules, device="cpu").save(str(folder), create_model_card=False)


BUILDERS = [
    Builder(
        "splade-bert",
        "wordpiece",
        lambda folder: _build(folder, BertForMaskedLM(BertConfig(**SIZES)), "wordpiece"),
        task="weigh",
    ),
    Builder(
        "splade-distilbert",
        "wordpiece",
        lambda folder: _build(
            folder, DistilBertForMaskedLM(DistilBertConfig(**DISTILBERT)), "wordpiece", pooling_strategy="sum"
        ),
        task="weigh",
    ),
    Builder(
        "splade-xlm-roberta",
        "unigram",
        lambda folder: _build(
            folder, XLMRobertaForMaskedLM(XLMRobertaConfig(**ROBERTA)), "unigram", activation_function="log1p_relu"
        ),
        task="weigh",
    ),
]
