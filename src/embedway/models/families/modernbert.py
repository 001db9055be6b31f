"""ModernBERT: Warner et al. 2024 (arXiv:2412.13663); tensor names as `transformers.ModernBertModel` saves them.

Some layers see the whole text, the others a window; each kind turns positions at a speed of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families import bert, encoder
from embedway.models.families.ops import Floats, Ops, Packed
from embedway.models.families.rotary import frequencies

T = TypeVar("T")

PREFIXES = ("model.",)
FULL, LOCAL = "full_attention", "sliding_attention"
BASES: Mapping[str, float] = {FULL: 160_000.0, LOCAL: 10_000.0}
"""How fast positions turn where the config does not say."""

_OLD_BASES: Mapping[str, str] = {FULL: "global_rope_theta", LOCAL: "local_rope_theta"}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    encoder.require(config, *bert.SIZES)
    sizes = _sizes(config)
    encoder.check_sizes(config, sizes)
    encoder.check_activation(config.get("classifier_activation", "gelu"))
    kinds = read_kinds(config)
    if len(kinds) != config["num_hidden_layers"] or not set(kinds) <= set(BASES):
        raise ModelFilesError(
            f"layer_types in config.json must name {config['num_hidden_layers']} layers, each {FULL} or {LOCAL}."
        )
    scaled = [kind for kind in BASES if (_rope(config, kind).get("rope_type") or "default") != "default"]
    if scaled or config.get("rope_scaling"):
        raise UnsupportedModel("This ModernBERT model scales its rotary positions, which is not supported.")


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states behind the last norm, `[n, hidden_size]`."""
    x = ops.embedding("embeddings.tok_embeddings.weight", config["vocab_size"], config["hidden_size"], tokens.ids)
    x = _norm(ops, config, "embeddings.norm", x)
    for index, kind in enumerate(read_kinds(config)):
        name = f"layers.{index}"
        # The first layer stands directly behind the embeddings' own norm.
        before = _norm(ops, config, f"{name}.attn_norm", x) if index else x
        x = ops.add(x, _attend(ops, config, name, kind, before))
        x = ops.add(x, _feed(ops, config, name, _norm(ops, config, f"{name}.mlp_norm", x)))
    return _norm(ops, config, "final_norm", x)


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `ModernBertForSequenceClassification`, `[items, labels]`."""
    pooled = ops.pool(hidden, "mean" if config.get("classifier_pooling", "cls") == "mean" else "cls")
    return ops.linear("classifier", _head(ops, config, pooled), config["hidden_size"], encoder.count_labels(config))


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `ModernBertForMaskedLM`, `[n, vocab_size]`."""
    biases = ("decoder.bias",) if config.get("decoder_bias", True) else ()
    x, table = _head(ops, config, hidden), "embeddings.tok_embeddings"
    return encoder.project(ops, config, x, config["hidden_size"], table, "decoder", biases)


def read_kinds(config: Mapping[str, Any]) -> list[str]:
    """What each layer sees; older configs name a number of which every multiple sees all, beginning with 0."""
    every = config.get("global_attn_every_n_layers") or 3
    default = [LOCAL if index % every else FULL for index in range(config["num_hidden_layers"])]
    return list(config.get("layer_types") or default)


def read_turns(config: Mapping[str, Any], kind: str) -> Floats:
    """How fast positions turn in layers of this kind, float32 `[head / 2]`."""
    base = _rope(config, kind).get("rope_theta") or config.get(_OLD_BASES[kind]) or BASES[kind]
    return frequencies(config["hidden_size"] // config["num_attention_heads"], base)


def _rope(config: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return (config.get("rope_parameters") or {}).get(kind) or {}


def _attend(ops: Ops[T], config: Mapping[str, Any], name: str, kind: str, x: T) -> T:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    bias, turns = config.get("attention_bias", False), read_turns(config, kind)
    q, k, v = ops.split(ops.linear(f"{name}.attn.Wqkv", x, width, 3 * width, bias), (width,) * 3)
    # The whole window is local_attention tokens and the one that looks: half of it on either side.
    window = config.get("local_attention", 128) // 2 if kind == LOCAL else None
    mixed = ops.attention(ops.rotary(q, heads, turns), ops.rotary(k, heads, turns), v, heads, window=window)
    return ops.linear(f"{name}.attn.Wo", mixed, width, width, bias)


def _feed(ops: Ops[T], config: Mapping[str, Any], name: str, x: T) -> T:
    sizes, bias = _sizes(config), config.get("mlp_bias", False)
    wide = ops.linear(f"{name}.mlp.Wi", x, sizes.width, 2 * sizes.inner, bias)
    gate, passed = ops.split(wide, (sizes.inner,) * 2)
    gated = ops.multiply(encoder.activate(ops, sizes.activation, gate), passed)
    return ops.linear(f"{name}.mlp.Wo", gated, sizes.inner, sizes.width, bias)


def _head(ops: Ops[T], config: Mapping[str, Any], x: T) -> T:
    width = config["hidden_size"]
    x = ops.linear("head.dense", x, width, width, config.get("classifier_bias", False))
    return _norm(ops, config, "head.norm", encoder.activate(ops, config.get("classifier_activation", "gelu"), x))


def _norm(ops: Ops[T], config: Mapping[str, Any], name: str, x: T) -> T:
    return ops.layer_norm(name, x, config["hidden_size"], _sizes(config).eps, config.get("norm_bias", False))


def _sizes(config: Mapping[str, Any]) -> encoder.Sizes:
    return encoder.Sizes(
        width=config["hidden_size"],
        inner=config["intermediate_size"],
        heads=config["num_attention_heads"],
        eps=config.get("norm_eps", 1e-5),
        activation=config.get("hidden_activation", "gelu"),
    )
