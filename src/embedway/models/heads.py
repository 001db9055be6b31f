"""What is made of a network's hidden states: a vector, terms, token vectors, scores.

Written once over the vocabulary of operations, like the families.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, TypeVar

from embedway.errors import UnsupportedModel
from embedway.models.families.ops import Ops, Pooling
from embedway.types import Activation as ScoreActivation

T = TypeVar("T")

Activation = Literal["identity", "tanh", "relu", "gelu", "silu"]
NORM_EPS = 1e-5
"""Of a layer normalisation behind the network: torch's default, no file names it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A linear layer behind the network, the module `Dense` of sentence-transformers; `name` is that of its tensors.

    With `residual` what goes in is added to what comes out: as it is, or where the widths differ through a linear layer
    of that name.
    """

    name: str
    width_in: int
    width_out: int
    bias: bool = True
    activation: Activation = "identity"
    residual: str | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer normalisation behind the network, the module `LayerNorm` of sentence-transformers."""

    name: str
    width: int

    @property
    def width_out(self) -> int:
        return self.width


@dataclass(frozen=True, slots=True)
class DenseHead:
    """One vector for each item: pooled, put through `layers`, and brought to length 1 if `normalized`."""

    pooling: Pooling
    layers: tuple[Layer | Norm, ...] = ()
    normalized: bool = True


@dataclass(frozen=True, slots=True)
class TermHead:
    """A weight for each token, of the term that it stands for: BGE-M3's lexical weights, Chen et al. 2024
    (arXiv:2402.03216), section 3.1.
    """

    layer: Layer


@dataclass(frozen=True, slots=True)
class TokenHead:
    """A vector for each token but the first `skipped`, of length 1 if `normalized`: late interaction, Khattab & Zaharia
    2020 (arXiv:2004.12832).
    """

    layers: tuple[Layer | Norm, ...]
    skipped: int = 0
    normalized: bool = True


@dataclass(frozen=True, slots=True)
class VocabularyHead:
    """A weight for every term of the vocabulary, from the logits of a masked language model: SPLADE, Formal et al. 2021
    (arXiv:2107.05720, the sum over the text's tokens, and arXiv:2109.10086, the maximum).

    `twice` takes the logarithm of the logarithm: arXiv:2504.14839.
    """

    pooling: Literal["max", "sum"] = "max"
    twice: bool = False


@dataclass(frozen=True, slots=True)
class ScoreHead:
    """A sequence classifier: one score for a pair, or a number for each label. `activation` makes scores of logits.
    `typed` says that the network is told which tokens are a pair's second text.

    With `answers` the network is a language model that was asked about the pair: the score is the logit of the first of
    these tokens behind the question, less that of the second if there is one.
    """

    labels: tuple[str, ...]
    activation: ScoreActivation
    typed: bool = True
    answers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heads:
    """What a model gives of one pass."""

    dense: DenseHead | None = None
    terms: TermHead | None = None
    tokens: TokenHead | None = None
    vocabulary: VocabularyHead | None = None
    scores: ScoreHead | None = None


def attach(ops: Ops[T], heads: Heads, family: ModuleType, config: Mapping[str, Any], hidden: T) -> dict[str, T]:
    """The parts that there are, by name. `[n, width]` -> `dense` `[items, dimensions]`, `scores` `[items, labels]`
    (logits), `terms` `[n, 1]`, `tokens` `[n, dimensions]`, `vocabulary` `[items, vocab_size]`.
    """
    parts = {}
    if heads.dense is not None:
        parts["dense"] = dense(ops, heads.dense, hidden)
    if heads.terms is not None:
        parts["terms"] = ops.relu(through(ops, [heads.terms.layer], hidden))
    if heads.tokens is not None:
        vectors = through(ops, heads.tokens.layers, hidden)
        parts["tokens"] = ops.normalize(vectors) if heads.tokens.normalized else vectors
    if heads.vocabulary is not None:
        parts["vocabulary"] = weigh(ops, heads.vocabulary, written(family, "predict", config)(ops, config, hidden))
    if heads.scores is not None:
        parts["scores"] = score(ops, heads.scores, family, config, hidden)
    return parts


def written(family: ModuleType, name: str, config: Mapping[str, Any]) -> Any:
    """A family's function. Raises `UnsupportedModel` where this one has none of that name."""
    if not hasattr(family, name):
        head = {"classify": "classifier", "predict": "masked language model", "answer": "language model"}[name]
        raise UnsupportedModel(f"A {head} on the architecture '{config['model_type']}' is not supported.")
    return getattr(family, name)


def score(ops: Ops[T], head: ScoreHead, family: ModuleType, config: Mapping[str, Any], hidden: T) -> T:
    """`[n, width]` -> `[items, labels]`."""
    if not head.answers:
        logits: T = written(family, "classify", config)(ops, config, hidden)
        return logits
    logits = written(family, "answer", config)(ops, config, hidden, head.answers)
    if len(head.answers) == 1:
        return logits
    yes, no = ops.split(logits, (1, 1))
    return ops.add(yes, ops.scale(no, -1.0))


def weigh(ops: Ops[T], head: VocabularyHead, logits: T) -> T:
    """`[n, vocab_size]` -> `[items, vocab_size]`."""

    def dampen(x: T) -> T:
        x = ops.log1p(ops.relu(x))
        return ops.log1p(x) if head.twice else x

    # What grows with its argument may follow the maximum, and is then computed once for a text and not for each token.
    return dampen(ops.pool(logits, "max")) if head.pooling == "max" else ops.pool(dampen(logits), "sum")


def dense(ops: Ops[T], head: DenseHead, hidden: T) -> T:
    """`[n, width]` -> `[items, dimensions]`."""
    vectors = through(ops, head.layers, ops.pool(hidden, head.pooling))
    return ops.normalize(vectors) if head.normalized else vectors


def through(ops: Ops[T], layers: Sequence[Layer | Norm], x: T) -> T:
    """The layers one after the other."""
    for layer in layers:
        x = ops.layer_norm(layer.name, x, layer.width, NORM_EPS) if isinstance(layer, Norm) else _linear(ops, layer, x)
    return x


def _linear(ops: Ops[T], layer: Layer, x: T) -> T:
    wide = activate(ops, layer.activation, ops.linear(layer.name, x, layer.width_in, layer.width_out, layer.bias))
    if layer.residual is None:
        return wide
    same = layer.width_in == layer.width_out
    return ops.add(wide, x if same else ops.linear(layer.residual, x, layer.width_in, layer.width_out, bias=False))


def activate(ops: Ops[T], kind: Activation, x: T) -> T:
    """The activation function of that name."""
    if kind == "identity":
        return x
    return {"tanh": ops.tanh, "relu": ops.relu, "gelu": ops.gelu, "silu": ops.silu}[kind](x)
