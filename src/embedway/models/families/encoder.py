"""What the encoder families share: checks of config.json, the layer of BERT, activations, and heads.

Every function takes the names under which a checkpoint stores its tensors, so a family is its names, its positions and
what it does otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families.ops import Floats, Ops

T = TypeVar("T")

_ERF = frozenset({"gelu", "gelu_python"})
_TANH = frozenset({"gelu_new", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh"})
ACTIVATIONS = _ERF | _TANH | {"quick_gelu", "relu", "silu", "swish", "tanh"}
"""The activation functions that are known, as configs name them."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one layer: `width` numbers for each token, `inner` within the feed-forward part."""

    width: int
    inner: int
    heads: int
    eps: float
    activation: str


@dataclass(frozen=True, slots=True)
class Names:
    """Of one layer's tensors, without `.weight` and `.bias`."""

    query: str
    key: str
    value: str
    out: str
    attended_norm: str
    widen: str
    narrow: str
    norm: str


def require(config: Mapping[str, Any], *names: str) -> None:
    """Raise `ModelFilesError` unless the config has a positive whole number under each of the names."""
    missing = [name for name in names if not isinstance(config.get(name), int) or config[name] < 1]
    if missing:
        raise ModelFilesError(
            f"config.json has no positive number under {' and '.join(missing)}: it is damaged, fetch it again."
        )


def check_sizes(config: Mapping[str, Any], sizes: Sizes) -> None:
    """Raise `ModelFilesError` for heads that do not divide the width, and for an unknown activation."""
    if sizes.width % sizes.heads:
        raise ModelFilesError(
            f"A width of {sizes.width} cannot be shared by {sizes.heads} attention heads: config.json is damaged."
        )
    check_activation(sizes.activation)


def check_activation(name: object) -> None:
    """Raise `ModelFilesError` for an activation function that is not known."""
    if name not in ACTIVATIONS:
        raise UnsupportedModel(
            f"The activation function '{name}' in config.json is not supported; "
            f"supported are {', '.join(sorted(ACTIVATIONS))}."
        )


def check_absent(config: Mapping[str, Any], *names: str) -> None:
    """Raise `ModelFilesError` if the config switches on one of these, which are not written here."""
    for name in names:
        if config.get(name):
            raise UnsupportedModel(
                f"The model asks for '{name}' ({config[name]!r}), which is not supported: serve one without it."
            )


def activate(ops: Ops[T], name: str, x: T) -> T:
    """The activation function that configs call `name`, one of `ACTIVATIONS`."""
    if name in _ERF or name in _TANH:
        return ops.gelu(x, approximate=name in _TANH)
    if name == "quick_gelu":
        return ops.multiply(x, ops.sigmoid(ops.scale(x, 1.702)))
    return {"relu": ops.relu, "silu": ops.silu, "swish": ops.silu, "tanh": ops.tanh}[name](x)


def layer(ops: Ops[T], names: Names, sizes: Sizes, x: T, bias: Floats | None = None) -> T:
    """One layer of BERT, normalised behind each part: `[n, width]` -> `[n, width]`. `bias` is that of `attention`."""
    width = sizes.width
    q, k, v = (ops.linear(name, x, width, width) for name in (names.query, names.key, names.value))
    attended = ops.linear(names.out, ops.attention(q, k, v, sizes.heads, bias=bias), width, width)
    x = ops.layer_norm(names.attended_norm, ops.add(attended, x), width, sizes.eps)
    wide = activate(ops, sizes.activation, ops.linear(names.widen, x, width, sizes.inner))
    fed = ops.linear(names.narrow, wide, sizes.inner, width)
    return ops.layer_norm(names.norm, ops.add(fed, x), width, sizes.eps)


def count_labels(config: Mapping[str, Any]) -> int:
    """How many labels a sequence classifier has; a config that does not say means two, as in transformers."""
    return len(config.get("id2label") or ()) or int(config.get("num_labels") or 2)


def pooled_labels(ops: Ops[T], config: Mapping[str, Any], width: int, hidden: T) -> T:
    """BERT's classifier, `[n, width]` -> `[items, labels]`: of the first token, through the pooler and tanh."""
    first = ops.tanh(ops.linear("pooler.dense", ops.pool(hidden, "cls"), width, width))
    return ops.linear("classifier", first, width, count_labels(config))


def project(
    ops: Ops[T], config: Mapping[str, Any], x: T, width: int, table: str, decoder: str, biases: tuple[str, ...]
) -> T:
    """Logits over the vocabulary, `[n, width]` -> `[n, vocab_size]`.

    The matrix is the embeddings' own `table`, or `decoder` where the config unties it. The bias has the first of the
    names `biases` that the checkpoint has, the last where it is untied, for then the decoder has one of its own;
    without names there is none.
    """
    tied = config.get("tie_word_embeddings", True)
    logits = ops.linear(table if tied else decoder, x, width, config["vocab_size"], bias=False)
    if not biases:
        return logits
    ordered = biases if tied else biases[::-1]
    name = next((one for one in ordered if ops.has(one)), ordered[0])
    return ops.plus(name, logits, config["vocab_size"])
