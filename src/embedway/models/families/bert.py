"""BERT: Devlin et al. 2018 (arXiv:1810.04805); tensor names as `transformers.BertModel` saves them.

ERNIE (Sun et al. 2019, arXiv:1904.09223) is the same network under another name where it has no task embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import UnsupportedModel
from embedway.models.families import encoder
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES = ("bert.", "ernie.")
SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
"""What every config of these families must say."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    encoder.require(config, *SIZES, "max_position_embeddings")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UnsupportedModel(
            "This model uses relative positions, which are not supported here: serve one with absolute ones."
        )
    encoder.check_absent(config, "is_decoder", "use_task_id")
    encoder.check_sizes(config, sizes(config))


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, hidden_size]`."""
    return layers(ops, config, embed(ops, config, tokens, tokens.positions))


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `BertForSequenceClassification`, `[items, labels]`."""
    return encoder.pooled_labels(ops, config, config["hidden_size"], hidden)


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `BertForMaskedLM`, `[n, vocab_size]`."""
    width, name = config["hidden_size"], "cls.predictions"
    x = ops.linear(f"{name}.transform.dense", hidden, width, width)
    x = encoder.activate(ops, config.get("hidden_act", "gelu"), x)
    x = ops.layer_norm(f"{name}.transform.LayerNorm", x, width, sizes(config).eps)
    biases = (f"{name}.bias", f"{name}.decoder.bias")
    return encoder.project(ops, config, x, width, "embeddings.word_embeddings", f"{name}.decoder", biases)


def embed(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T], positions: T) -> T:
    """Tokens, their positions and types, added and normalised: `[n, hidden_size]`."""
    width = config["hidden_size"]
    x = ops.embedding("embeddings.word_embeddings.weight", config["vocab_size"], width, tokens.ids)
    rows = config["max_position_embeddings"]
    x = ops.add(x, ops.embedding("embeddings.position_embeddings.weight", rows, width, positions))
    kinds = config.get("type_vocab_size", 2)
    x = ops.add(x, ops.embedding("embeddings.token_type_embeddings.weight", kinds, width, tokens.types))
    return ops.layer_norm("embeddings.LayerNorm", x, width, sizes(config).eps)


def layers(ops: Ops[T], config: Mapping[str, Any], x: T) -> T:
    """All layers, `[n, hidden_size]` -> `[n, hidden_size]`."""
    for index in range(config["num_hidden_layers"]):
        x = encoder.layer(ops, _names(f"encoder.layer.{index}"), sizes(config), x)
    return x


def sizes(config: Mapping[str, Any]) -> encoder.Sizes:
    """Of a layer, as the config has them."""
    return encoder.Sizes(
        width=config["hidden_size"],
        inner=config["intermediate_size"],
        heads=config["num_attention_heads"],
        eps=config.get("layer_norm_eps", 1e-12),
        activation=config.get("hidden_act", "gelu"),
    )


def _names(name: str) -> encoder.Names:
    return encoder.Names(
        query=f"{name}.attention.self.query",
        key=f"{name}.attention.self.key",
        value=f"{name}.attention.self.value",
        out=f"{name}.attention.output.dense",
        attended_norm=f"{name}.attention.output.LayerNorm",
        widen=f"{name}.intermediate.dense",
        narrow=f"{name}.output.dense",
        norm=f"{name}.output.LayerNorm",
    )
