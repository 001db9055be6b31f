"""BERT: Devlin et al. 2018 (arXiv:1810.04805); tensor names as `transformers.BertModel` saves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES = ("bert.",)
_ACTIVATIONS = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu")


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelFilesError(
            "This BERT model uses relative positions, which are not supported: serve one with absolute ones."
        )
    if config.get("hidden_act", "gelu") not in _ACTIVATIONS:
        raise ModelFilesError(
            f"hidden_act '{config['hidden_act']}' is not supported; known are {', '.join(_ACTIVATIONS)}."
        )
    if config["hidden_size"] % config["num_attention_heads"]:
        raise ModelFilesError("hidden_size is not a multiple of num_attention_heads: config.json is damaged.")


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, hidden_size]`."""
    width, eps = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
    x = ops.embedding("embeddings.word_embeddings.weight", config["vocab_size"], width, tokens.ids)
    positions = config["max_position_embeddings"]
    x = ops.add(x, ops.embedding("embeddings.position_embeddings.weight", positions, width, tokens.positions))
    kinds = config.get("type_vocab_size", 2)
    x = ops.add(x, ops.embedding("embeddings.token_type_embeddings.weight", kinds, width, tokens.types))
    x = ops.layer_norm("embeddings.LayerNorm", x, width, eps)
    for index in range(config["num_hidden_layers"]):
        x = _layer(ops, config, f"encoder.layer.{index}", x)
    return x


def _layer(ops: Ops[T], config: Mapping[str, Any], name: str, x: T) -> T:
    width, inner = config["hidden_size"], config["intermediate_size"]
    heads, eps = config["num_attention_heads"], config.get("layer_norm_eps", 1e-12)
    q, k, v = (ops.linear(f"{name}.attention.self.{part}", x, width, width) for part in ("query", "key", "value"))
    attended = ops.linear(f"{name}.attention.output.dense", ops.attention(q, k, v, heads), width, width)
    x = ops.layer_norm(f"{name}.attention.output.LayerNorm", ops.add(attended, x), width, eps)
    wide = _activate(ops, config.get("hidden_act", "gelu"), ops.linear(f"{name}.intermediate.dense", x, width, inner))
    return ops.layer_norm(
        f"{name}.output.LayerNorm", ops.add(ops.linear(f"{name}.output.dense", wide, inner, width), x), width, eps
    )


def _activate(ops: Ops[T], kind: str, x: T) -> T:
    return ops.relu(x) if kind == "relu" else ops.gelu(x, approximate=kind != "gelu")
