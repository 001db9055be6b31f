"""Gemma 3's text network (arXiv:2503.19786), and EmbeddingGemma (arXiv:2509.20354), in which a token sees later ones
too; tensor names as `transformers.Gemma3TextModel` saves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import UnsupportedModel
from embedway.models.families.decoder import Attention, attend, check_activation, check_sizes, feed, read_kinds
from embedway.models.families.ops import Ops, Packed
from embedway.models.families.rotary import Rotation, frequencies, parameters, read_rotation

T = TypeVar("T")

PREFIXES = ("model.", "language_model.model.", "model.language_model.")

GLOBAL_BASE, LOCAL_BASE = 1_000_000.0, 10_000.0
OFFSET = 1.0
"""Norms are stored as their distance from 1."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    check_sizes(config, *_heads(config))
    check_activation(config.get("hidden_activation", "gelu_pytorch_tanh"), "gelu_pytorch_tanh")
    if config.get("attn_logit_softcapping"):
        raise UnsupportedModel("This model caps its attention scores (attn_logit_softcapping), which is not supported.")


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states after the last norm, `[n, hidden_size]`."""
    width = config["hidden_size"]
    x = ops.embedding("embed_tokens.weight", config["vocab_size"], width, tokens.ids)
    x = ops.scale(x, width**0.5)
    for index, kind in enumerate(_kinds(config)):
        x = _layer(ops, config, f"layers.{index}", x, _attention(config, kind))
    return ops.rms_norm("norm", x, width, _eps(config), OFFSET)


def _layer(ops: Ops[T], config: Mapping[str, Any], name: str, x: T, how: Attention) -> T:
    """Each half has a norm before it, and another before it is added."""

    def norm(which: str, x: T) -> T:
        return ops.rms_norm(f"{name}.{which}_layernorm", x, how.width, how.eps, OFFSET)

    attended = attend(ops, f"{name}.self_attn", norm("input", x), how)
    x = ops.add(x, norm("post_attention", attended))
    inner = config["intermediate_size"]
    fed = feed(ops, f"{name}.mlp", norm("pre_feedforward", x), how.width, inner, "gelu")
    return ops.add(x, norm("post_feedforward", fed))


def _heads(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Heads, those of keys and values, and the numbers of each."""
    return (
        config.get("num_attention_heads") or 1,
        config.get("num_key_value_heads") or 4,
        config.get("head_dim") or 256,
    )


def _attention(config: Mapping[str, Any], kind: str) -> Attention:
    heads, kv_heads, depth = _heads(config)
    bias, causal = config.get("attention_bias", False), not config.get("use_bidirectional_attention", False)
    seen = config.get("sliding_window") or 4096
    return Attention(
        width=config["hidden_size"],
        heads=heads,
        kv_heads=kv_heads,
        depth=depth,
        rotation=_rotation(config, depth, kind),
        causal=causal,
        scale=float(config.get("query_pre_attn_scalar", 256)) ** -0.5,
        window=None if kind == "full_attention" else seen - 1 if causal else seen // 2,
        norm=OFFSET,
        eps=_eps(config),
        bias=bias,
        bias_out=bias,
    )


def _rotation(config: Mapping[str, Any], depth: int, kind: str) -> Rotation:
    """Layers with a window turn faster, and are never scaled."""
    if config.get("rope_parameters"):
        base = LOCAL_BASE if kind == "sliding_attention" else GLOBAL_BASE
        own = parameters(config, kind)
        return read_rotation({**config, "rope_parameters": own, "rope_theta": own.get("rope_theta")}, depth, base=base)
    if kind == "sliding_attention":
        return Rotation(frequencies(depth, config.get("rope_local_base_freq") or LOCAL_BASE))
    return read_rotation(config, depth, base=GLOBAL_BASE)


def _kinds(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Every sixth layer sees the whole text, unless the config has another pattern."""
    every = config.get("sliding_window_pattern") or config.get("_sliding_window_pattern") or 6
    count = config["num_hidden_layers"]
    default = ("sliding_attention" if place % every else "full_attention" for place in range(1, count + 1))
    return read_kinds(config, tuple(default))


def _eps(config: Mapping[str, Any]) -> float:
    return float(config.get("rms_norm_eps", 1e-6))
