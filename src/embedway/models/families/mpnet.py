"""MPNet: Song et al. 2020 (arXiv:2004.09297); tensor names as `transformers.MPNetModel` saves them.

BERT's layers with RoBERTa's positions and heads, and a learned bias by relative position, which all layers share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from embedway.models.families import bert, encoder, roberta
from embedway.models.families.ops import Floats, Ops, Packed

T = TypeVar("T")

PREFIXES = ("mpnet.",)
BUCKETS = 32
"""Classes of distances, half of them for each direction; the reference library takes no other number."""
REACH = 128
"""Tokens farther away than this are all in the last bucket."""
PADDING = 1
"""The reference library takes this for the padding token's id, whatever the config says."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    bert.check(config)
    encoder.require(config, "relative_attention_num_buckets")


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, hidden_size]`."""
    width, sizes = config["hidden_size"], bert.sizes(config)
    x = ops.embedding("embeddings.word_embeddings.weight", config["vocab_size"], width, tokens.ids)
    places = roberta.read_positions(ops, tokens, PADDING)
    rows = config["max_position_embeddings"]
    x = ops.add(x, ops.embedding("embeddings.position_embeddings.weight", rows, width, places))
    x = ops.layer_norm("embeddings.LayerNorm", x, width, sizes.eps)
    bias = read_bias(ops, config)
    for index in range(config["num_hidden_layers"]):
        x = encoder.layer(ops, _names(f"encoder.layer.{index}"), sizes, x, bias)
    return x


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `MPNetForSequenceClassification`, `[items, labels]`."""
    return roberta.first_labels(ops, config, config["hidden_size"], hidden)


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `MPNetForMaskedLM`, `[n, vocab_size]`."""
    return roberta.predict_terms(ops, config, hidden, "lm_head.layer_norm")


def read_bias(ops: Ops[T], config: Mapping[str, Any]) -> Floats:
    """What is added to the scores by the distance of key minus query: float32 `[heads, 2 REACH + 1]`."""
    shape = (config["relative_attention_num_buckets"], config["num_attention_heads"])
    table = ops.numbers("encoder.relative_attention_bias.weight", shape)
    return np.ascontiguousarray(table[find_buckets(np.arange(-REACH, REACH + 1))].T)


def find_buckets(ahead: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bucket of each distance of key minus query, Raffel et al. 2019 (arXiv:1910.10683).

    Short distances have buckets of their own, the longer ones share them by their logarithm. In float32, because the
    edges of the reference's buckets are float32 too.
    """
    half, exact = BUCKETS // 2, BUCKETS // 4
    far = np.abs(ahead)
    steps = np.log(np.maximum(far, 1).astype(np.float32) / np.float32(exact)) / np.float32(math.log(REACH / exact))
    shared = np.minimum(exact + (steps * np.float32(half - exact)).astype(np.int64), half - 1)
    return np.asarray(np.where(far < exact, far, shared) + np.where(ahead > 0, half, 0))


def _names(name: str) -> encoder.Names:
    return encoder.Names(
        query=f"{name}.attention.attn.q",
        key=f"{name}.attention.attn.k",
        value=f"{name}.attention.attn.v",
        out=f"{name}.attention.attn.o",
        attended_norm=f"{name}.attention.LayerNorm",
        widen=f"{name}.intermediate.dense",
        narrow=f"{name}.output.dense",
        norm=f"{name}.output.LayerNorm",
    )
