"""What the decoder families share: grouped attention that turns positions, and the gated feed-forward layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families.ops import Ops
from embedway.models.families.rotary import Rotation, read_rotation

T = TypeVar("T")

LAYERS = ("full_attention", "sliding_attention")
"""The kinds of layers, as configs name them."""

REQUIRED = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's attention: `heads` of `depth` numbers, which share `kv_heads` keys and values.

    `window` is how many tokens away one may be seen, None for any. `norm` is the offset of the norms' weights over
    queries and keys, None where there are none.
    """

    width: int
    heads: int
    kv_heads: int
    depth: int
    rotation: Rotation
    causal: bool
    scale: float | None = None
    window: int | None = None
    norm: float | None = None
    eps: float = 1e-6
    bias: bool = False
    bias_out: bool = False


def attend(ops: Ops[T], name: str, x: T, how: Attention) -> T:
    """Attention under `name`, `[n, width]` -> `[n, width]`."""
    wide, narrow = how.heads * how.depth, how.kv_heads * how.depth
    q = ops.linear(f"{name}.q_proj", x, how.width, wide, how.bias)
    k = ops.linear(f"{name}.k_proj", x, how.width, narrow, how.bias)
    v = ops.linear(f"{name}.v_proj", x, how.width, narrow, how.bias)
    if how.norm is not None:
        q = ops.rms_norm(f"{name}.q_norm", q, how.depth, how.eps, how.norm)
        k = ops.rms_norm(f"{name}.k_norm", k, how.depth, how.eps, how.norm)
    turn = how.rotation
    q = ops.rotary(q, how.heads, turn.frequencies, turn.factor)
    k = ops.rotary(k, how.kv_heads, turn.frequencies, turn.factor)
    mixed = ops.attention(q, k, v, how.heads, how.kv_heads, how.scale, how.causal, how.window)
    return ops.linear(f"{name}.o_proj", mixed, wide, how.width, how.bias_out)


def feed(
    ops: Ops[T], name: str, x: T, width: int, inner: int, act: Literal["silu", "gelu"] = "silu", bias: bool = False
) -> T:
    """The gated layer under `name`, Shazeer 2020 (arXiv:2002.05202): SwiGLU, or with GELU by tanh."""
    gate = ops.linear(f"{name}.gate_proj", x, width, inner, bias)
    gate = ops.silu(gate) if act == "silu" else ops.gelu(gate, approximate=True)
    up = ops.linear(f"{name}.up_proj", x, width, inner, bias)
    return ops.linear(f"{name}.down_proj", ops.multiply(gate, up), inner, width, bias)


def check_sizes(config: Mapping[str, Any], heads: int, kv_heads: int, depth: int) -> None:
    """Raise `ModelFilesError` for sizes that cannot be, and for rotations that are not known."""
    missing = [key for key in REQUIRED if not isinstance(config.get(key), int)]
    if missing:
        raise ModelFilesError(f"config.json does not say {' and '.join(missing)}: fetch it again.")
    if heads % kv_heads or depth < 2 or depth % 2:
        raise ModelFilesError(
            f"{heads} attention heads of {depth} numbers cannot share {kv_heads} keys: config.json is damaged."
        )
    kinds = read_kinds(config, ())
    if len(kinds) not in (0, config["num_hidden_layers"]) or not set(kinds) <= set(LAYERS):
        raise ModelFilesError(
            f"layer_types in config.json must name {config['num_hidden_layers']} layers, each {' or '.join(LAYERS)}."
        )
    for kind in LAYERS:
        read_rotation(config, depth, kind)


def check_activation(name: object, *known: str) -> None:
    """Raise `ModelFilesError` for another activation than the known ones."""
    if name not in known:
        raise UnsupportedModel(f"The activation '{name}' is not supported in this family; known is {', '.join(known)}.")


def read_kinds(config: Mapping[str, Any], default: tuple[str, ...]) -> tuple[str, ...]:
    """The kind of each layer, as the config lists them or by `default`."""
    return tuple(config.get("layer_types") or default)
