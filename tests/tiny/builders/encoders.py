"""Encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import (
    BertConfig,
    BertModel,
    CamembertConfig,
    CamembertModel,
    DistilBertConfig,
    DistilBertModel,
    ErnieConfig,
    ErnieModel,
    GteConfig,
    GteModel,
    ModernBertConfig,
    ModernBertModel,
    MPNetConfig,
    MPNetModel,
    NomicBertConfig,
    NomicBertModel,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from .builder import Builder, save_embedder

SIZES: Mapping[str, Any] = {
    "vocab_size": 600,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}
# As the tokenizers of `tests/tiny/tokens.py` have them.
SPECIAL: Mapping[str, Any] = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
# Positions begin at 2, so a text of 48 tokens reaches the last one.
ROBERTA: Mapping[str, Any] = {**SIZES, **SPECIAL, "max_position_embeddings": 50}
DISTILBERT: Mapping[str, Any] = {
    "vocab_size": 600,
    "dim": 48,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 96,
    "max_position_embeddings": 64,
}
# What the authors' own code calls "ntk" with factor 8 over 20,000, in the words of transformers.
NTK: Mapping[str, Any] = {"rope_type": "linear", "rope_theta": 160_000.0, "factor": 8 ** (2 / 12)}
# A window of 8 tokens on either side, and a text of 48; the speeds differ enough to be told apart.
MODERN: Mapping[str, Any] = {
    **SIZES,
    **SPECIAL,
    "cls_token_id": 0,
    "sep_token_id": 2,
    "num_hidden_layers": 4,
    "local_attention": 16,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 5_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    },
}


def _encoder(
    name: str,
    tokenizer: str,
    network: type[PreTrainedModel],
    config: type[PreTrainedConfig],
    settings: Mapping[str, Any],
    *,
    pooling: str = "mean",
) -> Builder:
    return Builder(
        name,
        tokenizer,
        lambda folder: save_embedder(folder, network(config(**settings)), tokenizer, pooling=pooling),
    )


BUILDERS = [
    _encoder("bert-mean", "wordpiece", BertModel, BertConfig, SIZES),
    _encoder("bert-cls", "wordpiece", BertModel, BertConfig, SIZES, pooling="cls"),
    _encoder("bert-tanh", "wordpiece", BertModel, BertConfig, {**SIZES, "hidden_act": "gelu_new"}, pooling="max"),
    _encoder("ernie", "wordpiece", ErnieModel, ErnieConfig, SIZES),
    _encoder("roberta", "roberta", RobertaModel, RobertaConfig, {**ROBERTA, "type_vocab_size": 1}),
    _encoder(
        "xlm-roberta",
        "unigram",
        XLMRobertaModel,
        XLMRobertaConfig,
        {**ROBERTA, "type_vocab_size": 1, "layer_norm_eps": 1e-5},
        pooling="cls",
    ),
    _encoder("camembert", "unigram", CamembertModel, CamembertConfig, {**ROBERTA, "type_vocab_size": 1}),
    _encoder("distilbert", "wordpiece", DistilBertModel, DistilBertConfig, DISTILBERT),
    _encoder("mpnet", "roberta", MPNetModel, MPNetConfig, {**ROBERTA, "layer_norm_eps": 1e-5}),
    # The library takes token 1 for padding, whatever the config says: here it is an unknown word, and not counted.
    _encoder("mpnet-unknown", "wordpiece", MPNetModel, MPNetConfig, {**ROBERTA, "layer_norm_eps": 1e-5}),
    _encoder("gte", "unigram", GteModel, GteConfig, {**SIZES, "rope_parameters": NTK}, pooling="cls"),
    _encoder(
        "gte-without-types",
        "wordpiece",
        GteModel,
        GteConfig,
        {**SIZES, "pad_token_id": 0, "type_vocab_size": 0, "hidden_act": "gelu_new"},
    ),
    _encoder("modernbert", "roberta", ModernBertModel, ModernBertConfig, MODERN),
    _encoder(
        "modernbert-biases",
        "roberta",
        ModernBertModel,
        ModernBertConfig,
        {
            **MODERN,
            "attention_bias": True,
            "mlp_bias": True,
            "norm_bias": True,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "local_attention": 9,
        },
        pooling="cls",
    ),
    _encoder("nomic", "wordpiece", NomicBertModel, NomicBertConfig, SIZES),
]
