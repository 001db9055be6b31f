"""Decoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    Gemma3TextConfig,
    Gemma3TextModel,
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2Model,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)

from .builder import Builder, save_embedder

SIZES: Mapping[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,  # not the width over the heads, as in Qwen3 and Gemma 3
    "intermediate_size": 80,
    "vocab_size": 600,
    "max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.0}
GEMMA = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
    "full_attention": {"rope_type": "linear", "rope_theta": 5_000.0, "factor": 2.0},
}


def _build(
    folder: Path,
    network: type[PreTrainedModel],
    config: type[PreTrainedConfig],
    pooling: str = "lasttoken",
    **changes: Any,
) -> None:
    made = network(config(**{**SIZES, **changes}))
    save_embedder(folder, made, "qwen", pooling=pooling)


def _language_model(folder: Path) -> None:
    """As published: the tensors of the whole language model, whose names have a prefix, and its head."""
    _build(folder, Qwen3Model, Qwen3Config)
    Qwen3ForCausalLM(Qwen3Config(**SIZES, tie_word_embeddings=False)).save_pretrained(folder)


def _builder(name: str, *kinds: Any, **changes: Any) -> Builder:
    def build(folder: Path) -> None:
        _build(folder, *kinds, **changes)

    return Builder(name, "qwen", build)


BUILDERS = [
    _builder("qwen3", Qwen3Model, Qwen3Config),
    Builder("qwen3-language-model", "qwen", _language_model),
    _builder(
        "qwen3-window",
        Qwen3Model,
        Qwen3Config,
        attention_bias=True,
        use_sliding_window=True,
        sliding_window=8,
        max_window_layers=1,
    ),
    _builder("qwen2-yarn", Qwen2Model, Qwen2Config, rope_parameters=YARN),
    _builder("qwen2-both-ways", Qwen2Model, Qwen2Config, "mean", is_causal=False),
    _builder(
        "llama", LlamaModel, LlamaConfig, rope_parameters=LLAMA3, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-5
    ),
    _builder("mistral", MistralModel, MistralConfig, sliding_window=12, rope_parameters=LINEAR),
    _builder(
        "gemma3",
        Gemma3TextModel,
        Gemma3TextConfig,
        "mean",
        use_bidirectional_attention=True,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        query_pre_attn_scalar=24,
        rope_parameters=GEMMA,
        tie_word_embeddings=True,
    ),
    _builder(
        "gemma3-causal",
        Gemma3TextModel,
        Gemma3TextConfig,
        use_bidirectional_attention=False,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=GEMMA,
    ),
]
