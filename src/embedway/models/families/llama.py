"""LLaMA, Touvron et al. 2023 (arXiv:2302.13971), and its kin: Mistral (arXiv:2310.06825), Qwen2 (arXiv:2407.10671) and
Qwen3 (arXiv:2505.09388). They differ in biases, norms over heads and windows; tensor names as `transformers` has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families.decoder import Attention, attend, check_activation, check_sizes, feed, read_kinds
from embedway.models.families.ops import Ops, Packed
from embedway.models.families.rotary import read_rotation

T = TypeVar("T")

PREFIXES = ("model.",)


@dataclass(frozen=True, slots=True)
class _Kin:
    """What a config of this `model_type` means where it is silent, and what it cannot choose.

    `bias` of queries, keys and values: None where `attention_bias` decides, for these and the output.
    """

    kv_heads: int | None = None
    depth: int | None = None
    bias: bool | None = None
    norms: bool = False
    mlp_bias: bool = False


_KIN: Mapping[str, _Kin] = {
    "llama": _Kin(mlp_bias=True),
    "mistral": _Kin(kv_heads=8, bias=False),
    "qwen2": _Kin(kv_heads=32, bias=True),
    "qwen3": _Kin(kv_heads=32, depth=128, norms=True),
}


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    check_sizes(config, *_heads(config))
    check_activation(config.get("hidden_act", "silu"), "silu")
    if "auto_map" in config and config.get("is_causal") is not True:
        raise ModelFilesError(
            "This model brings code of its own, which may let a token see those after it, whatever is_causal in "
            "config.json says; set it to what that code does and remove auto_map there."
        )


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states after the last norm, `[n, hidden_size]`."""
    width, eps = config["hidden_size"], config.get("rms_norm_eps", 1e-6)
    x = ops.embedding("embed_tokens.weight", config["vocab_size"], width, tokens.ids)
    for index, kind in enumerate(_kinds(config)):
        x = _layer(ops, config, f"layers.{index}", x, _attention(config, kind))
    return ops.rms_norm("norm", x, width, eps)


def answer(ops: Ops[T], config: Mapping[str, Any], hidden: T, tokens: Sequence[int]) -> T:
    """Logits of `tokens` as what follows each item, `[items, len(tokens)]`, as `…ForCausalLM` gives them."""
    table = "embed_tokens.weight" if config.get("tie_word_embeddings", False) else "lm_head.weight"
    return ops.choose(table, ops.pool(hidden, "last"), config["vocab_size"], config["hidden_size"], tokens)


def _layer(ops: Ops[T], config: Mapping[str, Any], name: str, x: T, how: Attention) -> T:
    width, bias = how.width, _KIN[config["model_type"]].mlp_bias and config.get("mlp_bias", False)
    x = ops.add(x, attend(ops, f"{name}.self_attn", ops.rms_norm(f"{name}.input_layernorm", x, width, how.eps), how))
    normed = ops.rms_norm(f"{name}.post_attention_layernorm", x, width, how.eps)
    return ops.add(x, feed(ops, f"{name}.mlp", normed, width, config["intermediate_size"], bias=bias))


def _heads(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Heads, those of keys and values, and the numbers of each."""
    kin, heads = _KIN[config["model_type"]], config.get("num_attention_heads") or 1
    depth = config.get("head_dim") or kin.depth or config.get("hidden_size", 0) // heads
    return heads, config.get("num_key_value_heads") or kin.kv_heads or heads, depth


def _attention(config: Mapping[str, Any], kind: str) -> Attention:
    heads, kv_heads, depth = _heads(config)
    kin, asked = _KIN[config["model_type"]], config.get("attention_bias", False)
    return Attention(
        width=config["hidden_size"],
        heads=heads,
        kv_heads=kv_heads,
        depth=depth,
        rotation=read_rotation(config, depth, kind),
        causal=config.get("is_causal") is not False,
        window=_window(config) - 1 if kind == "sliding_attention" else None,
        norm=0.0 if kin.norms else None,
        eps=config.get("rms_norm_eps", 1e-6),
        bias=asked if kin.bias is None else kin.bias,
        bias_out=asked if kin.bias is None else False,
    )


def _kinds(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Mistral's layers all have a window, Qwen's from `max_window_layers` on if at all, LLaMA's never."""
    count, family = int(config["num_hidden_layers"]), config["model_type"]
    if family == "llama" or not _window(config):
        return ("full_attention",) * count
    if family == "mistral":
        return ("sliding_attention",) * count
    whole = config.get("max_window_layers", 28)
    default = tuple("sliding_attention" if index >= whole else "full_attention" for index in range(count))
    return read_kinds(config, default)


def _window(config: Mapping[str, Any]) -> int:
    """How many tokens a token sees in a layer with a window, itself among them; 0 where there is none."""
    if config["model_type"] in ("qwen2", "qwen3") and not config.get("use_sliding_window", False):
        return 0
    return int(config.get("sliding_window", 4096) or 0)
