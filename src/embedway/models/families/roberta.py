"""RoBERTa: Liu et al. 2019 (arXiv:1907.11692), XLM-RoBERTa (arXiv:1911.02116) and CamemBERT (arXiv:1911.03894).

BERT with other positions and heads; tensor names as `transformers.RobertaModel` saves them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families import bert, encoder
from embedway.models.families.ops import Ops, Packed

T = TypeVar("T")

PREFIXES = ("roberta.",)


def check(config: Mapping[str, Any]) -> None:
    """Raise `ModelFilesError` for a config that this code would answer wrongly."""
    bert.check(config)
    if config["max_position_embeddings"] <= _first_position(config):
        raise ModelFilesError(
            f"max_position_embeddings is {config['max_position_embeddings']}, but positions begin at "
            f"{_first_position(config)} (pad_token_id + 1): config.json is damaged."
        )


def encode(ops: Ops[T], config: Mapping[str, Any], tokens: Packed[T]) -> T:
    """Hidden states of the last layer, `[n, hidden_size]`."""
    positions = read_positions(ops, tokens, _first_position(config) - 1)
    return bert.layers(ops, config, bert.embed(ops, config, tokens, positions))


def classify(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `RobertaForSequenceClassification`, `[items, labels]`."""
    return first_labels(ops, config, config["hidden_size"], hidden)


def predict(ops: Ops[T], config: Mapping[str, Any], hidden: T) -> T:
    """Logits of `RobertaForMaskedLM`, `[n, vocab_size]`."""
    return predict_terms(ops, config, hidden, "lm_head.layer_norm")


def read_positions(ops: Ops[T], tokens: Packed[T], padding: int) -> T:
    """Rows of the position table: counted from `padding` + 1, where a token with that id itself is not counted.

    Padding never comes here, but a text in which its name is written does: "a <pad> b".
    """
    return ops.shift(ops.count(tokens.positions, tokens.ids, padding), padding)


def first_labels(ops: Ops[T], config: Mapping[str, Any], width: int, hidden: T) -> T:
    """RoBERTa's classifier, `[n, width]` -> `[items, labels]`: the first token, a linear layer, tanh, another one."""
    first = ops.tanh(ops.linear("classifier.dense", ops.pool(hidden, "cls"), width, width))
    return ops.linear("classifier.out_proj", first, width, encoder.count_labels(config))


def predict_terms(ops: Ops[T], config: Mapping[str, Any], hidden: T, norm: str, activation: str = "gelu") -> T:
    """RoBERTa's head over the vocabulary, `[n, hidden_size]` -> `[n, vocab_size]`; `norm` names its normalisation."""
    width = config["hidden_size"]
    x = encoder.activate(ops, activation, ops.linear("lm_head.dense", hidden, width, width))
    x = ops.layer_norm(norm, x, width, bert.sizes(config).eps)
    biases = ("lm_head.bias", "lm_head.decoder.bias")
    return encoder.project(ops, config, x, width, "embeddings.word_embeddings", "lm_head.decoder", biases)


def _first_position(config: Mapping[str, Any]) -> int:
    padding = config.get("pad_token_id")
    return 2 if padding is None else int(padding) + 1
