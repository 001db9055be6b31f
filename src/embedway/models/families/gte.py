"""GTE: Zhang et al. 2024 (arXiv:2407.19669), `model_type` "new" where the authors' own code defined it, else "gte".

Tensors go by the names of the authors' code, which transformers saves too, or by those that transformers uses inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families import bert, encoder, gated
from embedway.models.families.ops import Floats, Ops, Packed
from embedway.models.families.rotary import frequencies

T = TypeVar("T")

PREFIXES = ("new.", "gte.")
BASES: Mapping[str, float] = {"new": 10_000.0, "gte": 160_000.0}
"""How fast positions turn where the config does not say."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    encoder.require(config, *bert.SIZES)
    encoder.check_sizes(config, bert.sizes(config))
    if config.get("position_embedding_type", "rope") != "rope" or config.get("layer_norm_type") == "rms_norm":
        raise UnsupportedModel(
            "This GTE model has absolute positions or an RMS norm, which are not supported: serve one with "
            "rotary positions and layer norms."
        )
    encoder.check_absent(config, "logn_attention_scale")
    read_turns(config)


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, hidden_size]`."""
    sizes, turns = bert.sizes(config), read_turns(config)
    x = gated.embed(ops, config["vocab_size"], _kinds(config), sizes, "embeddings.LayerNorm", tokens)
    biases = gated.Biases(attention=True, narrow=True)
    for index in range(config["num_hidden_layers"]):
        x = gated.layer(ops, _names(ops, index), sizes, biases, turns, x)
    return x


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `GteForSequenceClassification`, `[items, labels]`."""
    return encoder.pooled_labels(ops, config, config["hidden_size"], hidden)


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `GteForMaskedLM`, `[n, vocab_size]`."""
    width = config["hidden_size"]
    x = encoder.activate(ops, "gelu", ops.linear("lm_head.dense", hidden, width, width))
    norm = "lm_head.norm" if ops.has("lm_head.norm.weight") else "lm_head.layer_norm"
    x = ops.layer_norm(norm, x, width, bert.sizes(config).eps)
    table, biases = "embeddings.word_embeddings", ("lm_head.decoder.bias",)
    return encoder.project(ops, config, x, width, table, "lm_head.decoder", biases)


def read_turns(config: Mapping[str, Any]) -> Floats:
    """How fast positions turn, float32 `[head / 2]`. Raises `ModelFilesError` for a scaling that is not known.

    `ntk` is the fixed and the mixed scaling of https://kexue.fm/archives/9706 with its equations (6), (10) and (13);
    `linear` is that of Chen et al. 2023 (arXiv:2306.15595).
    """
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type") or rope.get("type") or "default"
    base = rope.get("rope_theta") or config.get("rope_theta") or BASES[config.get("model_type", "gte")]
    depth, factor = config["hidden_size"] // config["num_attention_heads"], rope.get("factor")
    if kind == "default":
        return frequencies(depth, base)
    if kind not in ("linear", "ntk"):
        raise UnsupportedModel(f"The rotary scaling '{kind}' is not supported for GTE; supported are linear and ntk.")
    if not isinstance(factor, int | float) or factor < 1:
        raise ModelFilesError(f"The rotary scaling '{kind}' in config.json needs a factor of at least 1.")
    if kind == "linear":
        return np.asarray(frequencies(depth, base) / np.float32(factor))
    return _scale_by_ntk(depth, base, factor, rope.get("mixed_b"))


def _scale_by_ntk(depth: int, base: float, factor: float, mixed: float | None) -> Floats:
    if factor == 1:
        return frequencies(depth, base)
    if mixed is None:
        return np.asarray(frequencies(depth, base * factor) / np.float32(factor ** (2 / depth)))
    growth = np.log(np.float32(factor)) / np.float32((depth / 2) ** mixed)
    places = np.arange(1, depth // 2 + 1, dtype=np.float32) ** np.float32(mixed)
    return np.asarray(frequencies(depth, base) / np.exp(growth * places), dtype=np.float32)


def _kinds(config: Mapping[str, Any]) -> int:
    return int(config.get("type_vocab_size", 1))


def _names(ops: Ops[T], index: int) -> gated.Names:
    inside = f"layers.{index}"
    if ops.has(f"{inside}.self_attn.o_proj.weight"):
        return gated.Names(
            attended=tuple(f"{inside}.self_attn.{part}_proj" for part in "qkv"),
            out=f"{inside}.self_attn.o_proj",
            attended_norm=f"{inside}.post_attention_layernorm",
            widened=(f"{inside}.mlp.up_proj", f"{inside}.mlp.gate_proj"),
            narrow=f"{inside}.mlp.down_proj",
            norm=f"{inside}.post_mlp_layernorm",
        )
    name = f"encoder.layer.{index}"
    apart = ops.has(f"{name}.attention.q_proj.weight")
    return gated.Names(
        attended=tuple(f"{name}.attention.{part}_proj" for part in ("qkv" if apart else ("qkv",))),
        out=f"{name}.attention.o_proj",
        attended_norm=f"{name}.attn_ln",
        widened=(f"{name}.mlp.up_gate_proj",),
        narrow=f"{name}.mlp.down_proj",
        norm=f"{name}.mlp_ln",
    )
