"""What is made of a network's hidden states: a vector, terms, token vectors, scores.

Written once over the vocabulary of operations, like the families.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from embedway.models.families.ops import Ops, Pooling

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
