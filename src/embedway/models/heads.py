"""What is made of a network's hidden states: a vector, terms, token vectors, scores.

Written once over the vocabulary of operations, like the families.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar

from embedway.errors import ModelFilesError
from embedway.models.families.ops import Ops, Pooling
from embedway.types import Activation as ScoreActivation

T = TypeVar("T")

Activation = Literal["identity", "tanh", "relu", "gelu", "silu"]


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer behind the network, the module `Dense` of sentence-transformers; `name` is that of its tensors."""

    name: str
    width_in: int
    width_out: int
    bias: bool = True
    activation: Activation = "identity"


@dataclass(frozen=True, slots=True)
class DenseHead:
    """One vector for each item: pooled, put through `layers`, and brought to length 1 if `normalized`."""

    pooling: Pooling
    layers: tuple[Layer, ...] = ()
    normalized: bool = True


@dataclass(frozen=True, slots=True)
class TermHead:
    """A weight for each token, of the term that it stands for: BGE-M3's lexical weights, Chen et al. 2024
    (arXiv:2402.03216), section 3.1.
    """

    layer: Layer


@dataclass(frozen=True, slots=True)
class TokenHead:
    """A vector of length 1 for each token but the first `skipped`: late interaction, Khattab & Zaharia 2020
    (arXiv:2004.12832), in BGE-M3's form.
    """

    layer: Layer
    skipped: int = 1


@dataclass(frozen=True, slots=True)
class ScoreHead:
    """A sequence classifier: one score for a pair, or a number for each label. `activation` makes scores of logits.
    `typed` says that the network is told which tokens are a pair's second text.
    """

    labels: tuple[str, ...]
    activation: ScoreActivation
    typed: bool = True


@dataclass(frozen=True, slots=True)
class Heads:
    """What a model gives of one pass."""

    dense: DenseHead | None = None
    terms: TermHead | None = None
    tokens: TokenHead | None = None
    scores: ScoreHead | None = None


def attach(ops: Ops[T], heads: Heads, family: ModuleType, config: Mapping[str, Any], hidden: T) -> dict[str, T]:
    """The parts that there are, by name. `[n, width]` -> `dense` `[items, dimensions]`, `scores` `[items, labels]`
    (logits), `terms` `[n, 1]`, `tokens` `[n, dimensions]`.
    """
    parts = {}
    if heads.dense is not None:
        parts["dense"] = dense(ops, heads.dense, hidden)
    if heads.terms is not None:
        parts["terms"] = ops.relu(through(ops, [heads.terms.layer], hidden))
    if heads.tokens is not None:
        parts["tokens"] = ops.normalize(through(ops, [heads.tokens.layer], hidden))
    if heads.scores is not None:
        if not hasattr(family, "classify"):
            raise ModelFilesError(f"A classifier on the architecture '{config['model_type']}' is not supported.")
        parts["scores"] = family.classify(ops, config, hidden)
    return parts


def dense(ops: Ops[T], head: DenseHead, hidden: T) -> T:
    """`[n, width]` -> `[items, dimensions]`."""
    vectors = through(ops, head.layers, ops.pool(hidden, head.pooling))
    return ops.normalize(vectors) if head.normalized else vectors


def through(ops: Ops[T], layers: Sequence[Layer], x: T) -> T:
    """The layers one after the other."""
    for layer in layers:
        x = ops.linear(layer.name, x, layer.width_in, layer.width_out, layer.bias)
        x = activate(ops, layer.activation, x)
    return x


def activate(ops: Ops[T], kind: Activation, x: T) -> T:
    """The activation function of that name."""
    if kind == "identity":
        return x
    return {"tanh": ops.tanh, "relu": ops.relu, "gelu": ops.gelu, "silu": ops.silu}[kind](x)
