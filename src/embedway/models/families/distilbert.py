"""DistilBERT: Sanh et al. 2019 (arXiv:1910.01108); tensor names as `transformers.DistilBertModel` saves them.

BERT's layers without types of tokens; its config has words of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.models.families import encoder
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES = ("distilbert.",)
EPS = 1e-12
"""Of all normalisations; the config does not name it."""


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    encoder.require(config, "vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings")
    encoder.check_sizes(config, _sizes(config))


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, dim]`. Sinusoidal positions are in the checkpoint too, as a table."""
    width, rows = config["dim"], config["max_position_embeddings"]
    x = ops.embedding("embeddings.word_embeddings.weight", config["vocab_size"], width, tokens.ids)
    x = ops.add(x, ops.embedding("embeddings.position_embeddings.weight", rows, width, tokens.positions))
    x = ops.layer_norm("embeddings.LayerNorm", x, width, EPS)
    for index in range(config["n_layers"]):
        x = encoder.layer(ops, _names(f"transformer.layer.{index}"), _sizes(config), x)
    return x


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `DistilBertForSequenceClassification`, `[items, labels]`."""
    width = config["dim"]
    first = ops.relu(ops.linear("pre_classifier", ops.pool(hidden, "cls"), width, width))
    return ops.linear("classifier", first, width, encoder.count_labels(config))


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `DistilBertForMaskedLM`, `[n, vocab_size]`."""
    width = config["dim"]
    x = encoder.activate(ops, _sizes(config).activation, ops.linear("vocab_transform", hidden, width, width))
    x = ops.layer_norm("vocab_layer_norm", x, width, EPS)
    table, biases = "embeddings.word_embeddings", ("vocab_projector.bias",)
    return encoder.project(ops, config, x, width, table, "vocab_projector", biases)


def _sizes(config: Mapping[str, Any]) -> encoder.Sizes:
    return encoder.Sizes(
        width=config["dim"],
        inner=config["hidden_dim"],
        heads=config["n_heads"],
        eps=EPS,
        activation=config.get("activation", "gelu"),
    )


def _names(name: str) -> encoder.Names:
    return encoder.Names(
        query=f"{name}.attention.q_lin",
        key=f"{name}.attention.k_lin",
        value=f"{name}.attention.v_lin",
        out=f"{name}.attention.out_lin",
        attended_norm=f"{name}.sa_layer_norm",
        widen=f"{name}.ffn.lin1",
        narrow=f"{name}.ffn.lin2",
        norm=f"{name}.output_layer_norm",
    )
