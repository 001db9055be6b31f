"""NomicBERT: Nussbaum et al. 2024 (arXiv:2402.01613).

Configs and tensors go by the names of the authors' code or by those of transformers, in any combination.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families import bert, encoder, gated
from embedway.models.families.ops import Ops, Packed
from embedway.models.families.rotary import frequencies

T = TypeVar("T")

PREFIXES = ("nomic_bert.", "bert.")
BASE = 1_000.0
"""How fast positions turn where the config does not say."""

_OLD_WORDS: Mapping[str, str] = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "intermediate_size": "n_inner",
    "layer_norm_eps": "layer_norm_epsilon",
    "hidden_act": "activation_function",
}
_GATED = {"swiglu": "silu", "geglu": "gelu"}
_UNSUPPORTED = ("prenorm", "use_rms_norm", "causal", "parallel_block", "num_experts", "qkv_proj_bias")
_UNSUPPORTED_ROTARY = ("rotary_scaling_factor", "rotary_emb_interleaved", "rotary_emb_scale_base")


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    encoder.check_absent(config, *_UNSUPPORTED, *_UNSUPPORTED_ROTARY, "mlp_fc1_bias", "mlp_fc2_bias")
    named = rename(config)
    encoder.require(named, *bert.SIZES)
    encoder.check_sizes(named, bert.sizes(named))
    if "activation_function" in config and config["activation_function"] not in (*_GATED, "silu"):
        raise UnsupportedModel(
            f"activation_function '{config['activation_function']}' is not gated, which this family needs: "
            f"supported are {', '.join(_GATED)}."
        )
    rope = _rope(config)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default" or config.get("rotary_emb_fraction", 1.0) != 1.0:
        raise UnsupportedModel(
            "This NomicBERT model scales its rotary positions or turns a part, which is not supported."
        )
    depth = config.get("head_dim") or named["hidden_size"] // named["num_attention_heads"]
    if depth * named["num_attention_heads"] != named["hidden_size"]:
        raise ModelFilesError(f"Heads of {depth} numbers do not add up to the width {named['hidden_size']}.")


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, width]`."""
    named = rename(config)
    sizes = bert.sizes(named)
    norm = "emb_ln" if ops.has("emb_ln.weight") else "embeddings.LayerNorm"
    x = gated.embed(ops, named["vocab_size"], named.get("type_vocab_size", 2), sizes, norm, tokens)
    turns = frequencies(sizes.width // sizes.heads, _base(config))
    biases = gated.Biases(attention=False, narrow=False)
    for index in range(named["num_hidden_layers"]):
        x = gated.layer(ops, _names(ops, index), sizes, biases, turns, x)
    return x


def rename(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config in the words of transformers, whichever of the two it came in."""
    named = dict(config)
    for new, old in _OLD_WORDS.items():
        if new not in named and old in config:
            named[new] = config[old]
    named["hidden_act"] = _GATED.get(named.get("hidden_act", "silu"), named.get("hidden_act", "silu"))
    return named


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("rope_parameters") or config.get("rope_scaling") or {}


def _base(config: Mapping[str, Any]) -> float:
    return float(_rope(config).get("rope_theta") or config.get("rope_theta") or config.get("rotary_emb_base") or BASE)


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
    name = f"encoder.layers.{index}"
    return gated.Names(
        attended=(f"{name}.attn.Wqkv",),
        out=f"{name}.attn.out_proj",
        attended_norm=f"{name}.norm1",
        widened=(f"{name}.mlp.fc11", f"{name}.mlp.fc12"),
        narrow=f"{name}.mlp.fc2",
        norm=f"{name}.norm2",
    )
