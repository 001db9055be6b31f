"""The layer that GTE and NomicBERT share: rotary positions, a gated feed-forward part (Shazeer 2020, arXiv:2002.05202),
and a normalisation behind each part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from embedway.models.families import encoder
from embedway.models.families.ops import Floats, Ops, Packed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Names:
    """Of one layer's tensors. `attended` has one name for queries, keys and values in one matrix, or three names;
    `widened` one for both halves in one matrix, what is let through first and its gate second, or two names."""

    attended: tuple[str, ...]
    out: str
    attended_norm: str
    widened: tuple[str, ...]
    narrow: str
    norm: str


@dataclass(frozen=True, slots=True)
class Biases:
    """Which of the linear layers have a bias; those that widen have none in either family."""

    attention: bool
    narrow: bool


def embed(ops: Ops[T], rows: int, kinds: int, sizes: encoder.Sizes, norm: str, tokens: Packed[T]) -> T:
    """Tokens and their types, if there are any, added and normalised: `[n, width]`."""
    x = ops.embedding("embeddings.word_embeddings.weight", rows, sizes.width, tokens.ids)
    if kinds:
        name = "embeddings.token_type_embeddings.weight"
        x = ops.add(x, ops.embedding(name, kinds, sizes.width, tokens.types))
    return ops.layer_norm(norm, x, sizes.width, sizes.eps)


def layer(ops: Ops[T], names: Names, sizes: encoder.Sizes, biases: Biases, turns: Floats, x: T) -> T:
    """One layer, `[n, width]` -> `[n, width]`; `turns` as `Ops.rotary` takes them."""
    width, heads = sizes.width, sizes.heads
    q, k, v = _linears(ops, names.attended, x, width, (width,) * 3, biases.attention)
    mixed = ops.attention(ops.rotary(q, heads, turns), ops.rotary(k, heads, turns), v, heads)
    attended = ops.linear(names.out, mixed, width, width, biases.attention)
    x = ops.layer_norm(names.attended_norm, ops.add(x, attended), width, sizes.eps)
    passed, gate = _linears(ops, names.widened, x, width, (sizes.inner,) * 2, False)
    gated = ops.multiply(encoder.activate(ops, sizes.activation, gate), passed)
    fed = ops.linear(names.narrow, gated, sizes.inner, width, biases.narrow)
    return ops.layer_norm(names.norm, ops.add(x, fed), width, sizes.eps)


def _linears(
    ops: Ops[T], names: tuple[str, ...], x: T, width_in: int, widths: tuple[int, ...], bias: bool
) -> Sequence[T]:
    """One output of each width, from one matrix or from several."""
    if len(names) == 1:
        return ops.split(ops.linear(names[0], x, width_in, sum(widths), bias), widths)
    return [ops.linear(name, x, width_in, width, bias) for name, width in zip(names, widths, strict=True)]
