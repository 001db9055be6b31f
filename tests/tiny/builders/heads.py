"""What comes behind a network: linear layers, classifiers, and BGE-M3's further heads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import LayerNorm
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GteConfig,
    GteForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from .builder import LIMIT_TOKENS, Builder, fast_tokenizer, save_embedder
from .encoders import DISTILBERT, MODERN, ROBERTA, SIZES, SPECIAL


def _layers(folder: Path) -> None:
    network = BertModel(BertConfig(**SIZES))
    after = [Dense(48, 64), Dense(64, 32, bias=False, activation_function=torch.nn.Identity())]
    save_embedder(folder, network, "wordpiece", after=after)


def _normed(folder: Path) -> None:
    network = BertModel(BertConfig(**SIZES))
    residual = Dense(48, 48, activation_function=torch.nn.GELU(), use_residual=True)
    wider = Dense(48, 64, activation_function=torch.nn.Identity(), use_residual=True)
    save_embedder(folder, network, "wordpiece", after=[LayerNorm(48), residual, wider], normalized=False)


def _weighted(folder: Path) -> None:
    save_embedder(folder, BertModel(BertConfig(**SIZES)), "wordpiece", pooling="weightedmean", normalized=False)


def _scorer(folder: Path, network: PreTrainedModel, tokenizer: str) -> None:
    plain = folder.parent / "network"
    network.save_pretrained(plain)
    fast_tokenizer(tokenizer).save_pretrained(plain)
    CrossEncoder(str(plain), max_length=LIMIT_TOKENS).save(str(folder))


def _labelled(**more: Any) -> dict[str, Any]:
    return {"id2label": {0: "sad", 1: "neutral", 2: "glad"}, "label2id": {"sad": 0, "neutral": 1, "glad": 2}, **more}


def _classifier(folder: Path) -> None:
    network = BertForSequenceClassification(BertConfig(**SIZES, **_labelled()))
    network.save_pretrained(folder)
    tokenizer = fast_tokenizer("wordpiece")
    tokenizer.model_max_length = LIMIT_TOKENS
    tokenizer.save_pretrained(folder)


def _bge_m3(folder: Path) -> None:
    """As the authors publish it, a sentence-transformers folder with two further heads; these as safetensors, which
    NumPy can write again.
    """
    save_embedder(folder, XLMRobertaModel(XLMRobertaConfig(**ROBERTA)), "unigram", pooling="cls")
    save_file(torch.nn.Linear(48, 1).state_dict(), folder / "sparse_linear.safetensors")
    save_file(torch.nn.Linear(48, 48).state_dict(), folder / "colbert_linear.safetensors")


BUILDERS = [
    Builder("dense-layers", "wordpiece", _layers),
    Builder("norm-residual", "wordpiece", _normed),
    Builder("weighted-mean", "wordpiece", _weighted),
    Builder("bge-m3", "unigram", _bge_m3, task="three"),
    Builder("classifier", "wordpiece", _classifier, task="classify"),
    *(
        Builder(name, tokenizer, lambda folder, make=make, kind=tokenizer: _scorer(folder, make(), kind), task="score")
        for name, tokenizer, make in (
            ("scorer-bert", "wordpiece", lambda: BertForSequenceClassification(BertConfig(**SIZES, num_labels=1))),
            (
                "scorer-xlm-roberta",
                "unigram",
                lambda: XLMRobertaForSequenceClassification(XLMRobertaConfig(**ROBERTA, num_labels=1)),
            ),
            (
                "scorer-gte",
                "unigram",
                lambda: GteForSequenceClassification(GteConfig(**SIZES, **SPECIAL, num_labels=1)),
            ),
            (
                "scorer-modernbert",
                "roberta",
                lambda: ModernBertForSequenceClassification(ModernBertConfig(**MODERN, num_labels=1)),
            ),
            (
                "scorer-distilbert",
                "wordpiece",
                lambda: DistilBertForSequenceClassification(DistilBertConfig(**DISTILBERT, num_labels=1)),
            ),
        )
    ),
]
