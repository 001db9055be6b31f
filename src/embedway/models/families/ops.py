"""The vocabulary of operations in which every network family is written once.

A family works on *packed* tokens: the tokens of all items of a batch stand one behind the other, `[tokens, width]`,
without padding. Only `attention` and `pool` know where one item ends, through a layout that is the implementation's
own affair. A tensor type `T` is whatever the implementation computes with (a graph node, a torch tensor). Weights go
by the names under which the checkpoint stores them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Pooling = Literal["mean", "cls", "max", "last", "weighted", "sum"]
Floats = npt.NDArray[np.float32]


class Packed(Protocol[T_co]):
    """The tokens of a batch, int32 `[tokens]` each. A family takes only what it needs."""

    @property
    def ids(self) -> T_co:
        """Token ids."""

    @property
    def positions(self) -> T_co:
        """Places within their item, from 0."""

    @property
    def types(self) -> T_co:
        """0, or 1 for the second text of a pair."""


class Ops(Protocol[T]):
    """What a family may use. Shapes are given for packed tensors; `n` is the number of tokens in the batch."""

    def embedding(self, name: str, rows: int, width: int, ids: T) -> T:
        """Rows of the table `name` `[rows, width]` at `ids` -> `[n, width]`."""

    def has(self, name: str) -> bool:
        """Whether the checkpoint has a tensor of this name: some families are stored in more than one way."""

    def numbers(self, name: str, shape: tuple[int, ...]) -> Floats:
        """The tensor `name` itself, where a family computes with it before it runs."""

    def shift(self, ids: T, by: int) -> T:
        """`ids + by`, int32 `[n]`."""

    def count(self, positions: T, ids: T, skipped: int) -> T:
        """Places within their item, int32 `[n]`, from 1, of the ids other than `skipped`, which itself gets 0.

        `positions` are the plain ones of `Packed`, from 0.
        """

    def plus(self, name: str, x: T, width: int) -> T:
        """`x` `[n, width]` plus the tensor `name` `[width]`."""

    def linear(self, name: str, x: T, width_in: int, width_out: int, bias: bool = True) -> T:
        """`x @ name.weight.T + name.bias`: `[n, width_in]` -> `[n, width_out]`."""

    def choose(self, name: str, x: T, rows: int, width: int, chosen: Sequence[int]) -> T:
        """`x @ table[chosen].T` for the table `name` `[rows, width]`: `[n, width]` -> `[n, len(chosen)]`."""

    def layer_norm(self, name: str, x: T, width: int, eps: float, bias: bool = True) -> T:
        """Ba et al. 2016 (arXiv:1607.06450) over the last axis, with `name.weight` and, if it has one, `name.bias`."""

    def rms_norm(self, name: str, x: T, width: int, eps: float, offset: float = 0.0) -> T:
        """Zhang & Sennrich 2019 (arXiv:1910.07467) with the weight `name.weight + offset`, `[width]`.

        `x` is `[n, k * width]`, and each of the k parts is normalised by itself: k is the number of heads where heads
        are normalised, else 1.
        """

    def rotary(self, x: T, heads: int, frequencies: Floats, factor: float = 1.0) -> T:
        """Rotary position embedding, Su et al. 2021 (arXiv:2104.09864), of `x` `[n, heads * d]`.

        `frequencies` `[r]`, radians for each position, turn number i of a head together with number i + r, for i < r;
        what a head has beyond 2 r stays. `factor` multiplies sine and cosine (YaRN, arXiv:2309.00071).
        """

    def add(self, a: T, b: T) -> T: ...

    def multiply(self, a: T, b: T) -> T: ...

    def scale(self, x: T, factor: float) -> T: ...

    def split(self, x: T, widths: Sequence[int]) -> Sequence[T]:
        """`[n, sum(widths)]` -> one `[n, width]` for each."""

    def gelu(self, x: T, approximate: bool = False) -> T:
        """Hendrycks & Gimpel 2016 (arXiv:1606.08415): by erf, or `approximate` by tanh."""

    def relu(self, x: T) -> T: ...

    def silu(self, x: T) -> T: ...

    def tanh(self, x: T) -> T: ...

    def log1p(self, x: T) -> T:
        """`log(1 + x)`."""

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
        bias: Floats | None = None,
    ) -> T:
        """Scaled dot-product attention within each item, Vaswani et al. 2017 (arXiv:1706.03762).

        `q` is `[n, heads * d]`, `k` and `v` are `[n, kv_heads * d]` (grouped queries, arXiv:2305.13245, when fewer);
        the answer is `[n, heads * d]`. `scale` defaults to `d ** -0.5`. `window` w lets a token see those at most w
        away on either side; `causal` none after it. `bias` `[heads, 2 r + 1]` is added to the scores by the distance
        of key minus query, from -r to r; farther ones count as r.
        """

    def pool(self, x: T, how: Pooling) -> T:
        """One row for each item, in the order of the batch: `[n, width]` -> `[items, width]`.

        `weighted` is the mean with weights 1, 2, 3, … along the text (Muennighoff 2022, arXiv:2202.08904).
        """

    def normalize(self, x: T) -> T:
        """Every row divided by its Euclidean length."""
