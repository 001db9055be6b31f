"""The vocabulary of operations in which every network family is written once.

A family works on *packed* tokens: the tokens of all items of a batch stand one behind the other, `[tokens, width]`,
without padding. Only `attention` and `pool` know where one item ends, through a layout that is the implementation's
own affair. A tensor type `T` is whatever the implementation computes with (a graph node, a torch tensor). Weights go
by the names under which the checkpoint stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

T = TypeVar("T")

Pooling = Literal["mean", "cls", "max", "last"]


@dataclass(frozen=True, slots=True)
class Packed(Generic[T]):
    """The tokens of a batch: ids and positions within their item, int32 `[tokens]` each."""

    ids: T
    positions: T


class Ops(Protocol[T]):
    """What a family may use. Shapes are given for packed tensors; `n` is the number of tokens in the batch."""

    def embedding(self, name: str, rows: int, width: int, ids: T) -> T:
        """Rows of the table `name` `[rows, width]` at `ids` -> `[n, width]`."""

    def embedding_row(self, name: str, rows: int, width: int, row: int) -> T:
        """One row of a table, `[width]`, to be added to every token."""

    def linear(self, name: str, x: T, width_in: int, width_out: int, bias: bool = True) -> T:
        """`x @ name.weight.T + name.bias`: `[n, width_in]` -> `[n, width_out]`."""

    def layer_norm(self, name: str, x: T, width: int, eps: float) -> T:
        """Ba et al. 2016 (arXiv:1607.06450) over the last axis, with `name.weight` and `name.bias`."""

    def add(self, a: T, b: T) -> T: ...

    def gelu(self, x: T, approximate: bool = False) -> T:
        """Hendrycks & Gimpel 2016 (arXiv:1606.08415): by erf, or `approximate` by tanh."""

    def relu(self, x: T) -> T: ...

    def attention(
        self,
        q: T,
        k: T,
        v: T,
        heads: int,
        kv_heads: int | None = None,
        scale: float | None = None,
        causal: bool = False,
        window: int | None = None,
    ) -> T:
        """Scaled dot-product attention within each item, Vaswani et al. 2017 (arXiv:1706.03762).

        `q` is `[n, heads * d]`, `k` and `v` are `[n, kv_heads * d]` (grouped queries, arXiv:2305.13245, when fewer);
        the answer is `[n, heads * d]`. `scale` defaults to `d ** -0.5`. `window` w lets a token see those at most w
        away on either side; `causal` none after it.
        """

    def pool(self, x: T, how: Pooling) -> T:
        """One row for each item, in the order of the batch: `[n, width]` -> `[items, width]`."""

    def normalize(self, x: T) -> T:
        """Every row divided by its Euclidean length."""
