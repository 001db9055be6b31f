"""The vocabulary of `models.families.ops`, eagerly in torch on packed tokens: no padding, in attention neither.

The items of a batch stand sorted by length, so those of one length are a plain slice `[items * length, width]`, and
seeing it as `[items, length, width]` costs nothing: that is how attention and pooling run wherever there is no kernel
for items of different lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from embedway.backends.torch_tokens import Run, Tensor, TorchTokens, TorchWeights, send
from embedway.models.families.ops import Floats, Pooling

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before torch 2.10
    varlen_attn = None

DEEPEST_HEAD = 256
"""The widest head that the kernel for items of different lengths takes."""


class TorchOps:
    """One pass over one batch: the tensors of `weights`, the tokens of `tokens`, both on one device."""

    def __init__(self, weights: TorchWeights, tokens: TorchTokens) -> None:
        self.tokens = tokens
        self._weights = weights
        self._masks: dict[tuple[int, bool, int | None, bytes | None], Tensor] = {}

    def has(self, name: str) -> bool:
        return self._weights.has(name)

    def numbers(self, name: str, shape: tuple[int, ...]) -> Floats:
        return self._weights.numbers(name, shape)

    def shift(self, ids: Tensor, by: int) -> Tensor:
        return ids + by

    def count(self, positions: Tensor, ids: Tensor, skipped: int) -> Tensor:
        kept = (ids != skipped).to(torch.int32)
        so_far = torch.cumsum(kept, 0, dtype=torch.int32)
        rows = torch.arange(len(ids), device=ids.device, dtype=torch.int32)
        before = (so_far - kept)[rows - positions]
        return (so_far - before) * kept

    def plus(self, name: str, x: Tensor, width: int) -> Tensor:
        return x + self._weights.tensor(name, (width,))

    def embedding(self, name: str, rows: int, width: int, ids: Tensor) -> Tensor:
        return functional.embedding(ids, self._weights.tensor(name, (rows, width)))

    def linear(self, name: str, x: Tensor, width_in: int, width_out: int, bias: bool = True) -> Tensor:
        matrix = self._weights.tensor(f"{name}.weight", (width_out, width_in))
        return functional.linear(x, matrix, self._weights.tensor(f"{name}.bias", (width_out,)) if bias else None)

    def patches(self, name: str, x: Tensor, channels: int, side: int, width: int, bias: bool) -> Tensor:
        matrix = self._weights.tensor(f"{name}.weight", (width, channels, side, side)).flatten(1)
        return functional.linear(
            x.to(matrix.dtype), matrix, self._weights.tensor(f"{name}.bias", (width,)) if bias else None
        )

    def lead(self, name: str, x: Tensor, width: int) -> Tensor:
        return x + (self.tokens.positions == 0).to(x.dtype)[:, None] * self._weights.tensor(name, (width,))

    def choose(self, name: str, x: Tensor, rows: int, width: int, chosen: Sequence[int]) -> Tensor:
        return functional.linear(x, self._weights.tensor(name, (rows, width))[list(chosen)])

    def layer_norm(self, name: str, x: Tensor, width: int, eps: float, bias: bool = True) -> Tensor:
        weight = self._weights.tensor(f"{name}.weight", (width,))
        shift = self._weights.tensor(f"{name}.bias", (width,)) if bias else None
        return functional.layer_norm(x, (width,), weight, shift, eps)  # its sums are float32 in every precision

    def rms_norm(self, name: str, x: Tensor, width: int, eps: float, offset: float = 0.0) -> Tensor:
        weight = self._weights.tensor(f"{name}.weight", (width,), torch.float32) + offset
        parts = x.float().unflatten(-1, (-1, width))
        return functional.rms_norm(parts, (width,), weight, eps).flatten(-2).to(x.dtype)

    def rotary(self, x: Tensor, heads: int, frequencies: Floats, factor: float = 1.0) -> Tensor:
        cosine, sine = (table[self.tokens.positions] for table in self._weights.turns(frequencies, factor))
        turned = len(frequencies)
        parts = x.unflatten(-1, (heads, -1)).float()
        first, second, rest = parts[..., :turned], parts[..., turned : 2 * turned], parts[..., 2 * turned :]
        whole = torch.cat([first * cosine - second * sine, second * cosine + first * sine, rest], -1)
        return whole.flatten(-2).to(x.dtype)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def scale(self, x: Tensor, factor: float) -> Tensor:
        return x * factor

    def split(self, x: Tensor, widths: Sequence[int]) -> Sequence[Tensor]:
        return list(torch.split(x, list(widths), -1))

    def gelu(self, x: Tensor, approximate: bool = False) -> Tensor:
        return functional.gelu(x, approximate="tanh" if approximate else "none")

    def relu(self, x: Tensor) -> Tensor:
        return functional.relu(x)

    def silu(self, x: Tensor) -> Tensor:
        return functional.silu(x)

    def tanh(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def log1p(self, x: Tensor) -> Tensor:
        return torch.log1p(x)

    def attention(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        heads: int,
        kv_heads: int | None = None,
        scale: float | None = None,
        causal: bool = False,
        window: int | None = None,
        bias: Floats | None = None,
    ) -> Tensor:
        kv_heads = kv_heads or heads
        parts = [x.unflatten(-1, (count, -1)) for x, count in ((q, heads), (k, kv_heads), (v, kv_heads))]
        if window is not None and window + 1 >= self.tokens.longest:
            window = None
        if bias is None and self.tokens.seen is None and fits_varlen(parts[0]):
            return self._varlen(parts, scale, causal, window)
        attended = [self._attend(run, parts, scale, causal, window, bias) for run in self.tokens.runs]
        return torch.cat(attended).flatten(-2)

    def pool(self, x: Tensor, how: Pooling) -> Tensor:
        if how == "cls":
            return x[self.tokens.ends[:-1]][self.tokens.rows]
        if how == "last":
            return x[self.tokens.ends[1:] - 1][self.tokens.rows]
        return torch.cat([_pool(_items(x, run), how) for run in self.tokens.runs])[self.tokens.rows].to(x.dtype)

    def attention_pool(self, name: str, x: Tensor, width: int, heads: int) -> Tensor:
        matrix = self._weights.tensor(f"{name}.attention.in_proj_weight", (3 * width, width))
        shift = self._weights.tensor(f"{name}.attention.in_proj_bias", (3 * width,))
        probe = self._weights.tensor(f"{name}.probe", (1, 1, width))
        q = functional.linear(probe, matrix[:width], shift[:width]).unflatten(-1, (heads, -1)).transpose(1, 2)
        k, v = functional.linear(x, matrix[width:], shift[width:]).split(width, -1)
        pooled = []
        for run in self.tokens.runs:
            k4, v4 = (_items(part, run).unflatten(-1, (heads, -1)).transpose(1, 2) for part in (k, v))
            attended = functional.scaled_dot_product_attention(q.expand(run.items, -1, -1, -1), k4, v4)
            pooled.append(attended.transpose(1, 2).flatten(1))
        return torch.cat(pooled)[self.tokens.rows]

    def normalize(self, x: Tensor) -> Tensor:
        return functional.normalize(x.float(), dim=-1, eps=1e-12)

    def _varlen(self, parts: Sequence[Tensor], scale: float | None, causal: bool, window: int | None) -> Tensor:
        """The kernel for items of different lengths, FlashAttention-2 (Dao 2023, arXiv:2307.08691)."""
        behind = -1 if window is None else window
        ends, longest = self.tokens.ends, self.tokens.longest
        q, k, v = (part.contiguous() for part in parts)
        attended = varlen_attn(
            *(q, k, v, ends, ends, longest, longest),
            scale=scale,
            window_size=(behind, 0 if causal else behind),
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return attended.flatten(-2)

    def _attend(
        self,
        run: Run,
        parts: Sequence[Tensor],
        scale: float | None,
        causal: bool,
        window: int | None,
        bias: Floats | None,
    ) -> Tensor:
        """`[items * length, heads, d]` for the items of one length."""
        q, k, v = (_items(part, run).transpose(1, 2) for part in parts)
        hidden = self._hidden(run)
        masked = window is not None or bias is not None or hidden is not None
        mask = self._mask(run.length, causal, window, bias) if masked else None
        attended = functional.scaled_dot_product_attention(
            *(q, k, v),
            attn_mask=mask if hidden is None else mask + hidden,
            is_causal=causal and not masked,
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return attended.transpose(1, 2).flatten(0, 1)

    def _hidden(self, run: Run) -> Tensor | None:
        """What hides the tokens that nobody looks at, `[items, 1, 1, length]`; None where there are none."""
        if self.tokens.seen is None:
            return None
        seen = self.tokens.seen[run.place : run.place + run.items]
        hidden = np.where(np.arange(run.length) >= seen[:, None], -np.inf, np.float32(0)).astype(np.float32)
        return send(hidden[:, None, None, :], self._weights.device).to(self._weights.dtype)

    def _mask(self, length: int, causal: bool, window: int | None, bias: Floats | None) -> Tensor:
        """What is added to the scores, `[length, length]`, or `[heads, length, length]` with a bias."""
        key = length, causal, window, None if bias is None else bias.tobytes()
        if key not in self._masks:
            index = torch.arange(length, device=self._weights.device)
            ahead = index[None, :] - index[:, None]
            mask = torch.zeros((length, length), device=self._weights.device)
            if bias is not None:
                reach = bias.shape[1] // 2
                mask = torch.from_numpy(bias).to(self._weights.device)[:, ahead.clamp(-reach, reach) + reach]
            if causal:
                mask = torch.where(ahead > 0, -math.inf, mask)
            if window is not None:
                mask = torch.where(ahead.abs() > window, -math.inf, mask)
            self._masks[key] = mask.to(self._weights.dtype)
        return self._masks[key]


def fits_varlen(q: Tensor) -> bool:
    """Whether the kernel for items of different lengths takes queries `[n, heads, d]` of this kind."""
    half = q.dtype in (torch.bfloat16, torch.float16)
    modern = varlen_attn is not None and q.is_cuda and torch.cuda.get_device_capability(q.device) >= (8, 0)
    return modern and half and q.shape[-1] % 8 == 0 and q.shape[-1] <= DEEPEST_HEAD


def _items(x: Tensor, run: Run) -> Tensor:
    return x[run.rows].unflatten(0, (run.items, run.length))


def _pool(x: Tensor, how: Pooling) -> Tensor:
    """`[items, length, width]` -> float32 `[items, width]`."""
    if how == "max":
        return x.float().amax(1)
    if how == "mean":
        return x.float().mean(1)
    if how == "sum":
        return x.float().sum(1)
    places = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=torch.float32)
    return (x.float() * places[:, None]).sum(1) / places.sum()
