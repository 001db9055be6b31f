"""How fast rotary positions turn: the frequencies that a `config.json` asks for.

Su et al. 2021 (arXiv:2104.09864), and the scalings by which published models reach further than they were trained:
linear (Chen et al. 2023, arXiv:2306.15595), llama3 (Grattafiori et al. 2024, arXiv:2407.21783) and YaRN (Peng et al.
2023, arXiv:2309.00071). They are computed in float32 as the reference library does: at position 32,768 the last bit of
a frequency shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families.ops import Floats

BASE = 10_000.0
"""The base of the paper, which a config need not name."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What `Ops.rotary` takes: `frequencies` float32 `[r]`, radians for each position, and YaRN's `factor`."""

    frequencies: Floats
    factor: float = 1.0


def frequencies(turned: int, base: float) -> Floats:
    """The paper's own for a head of which `turned` numbers are turned: float32 `[turned / 2]`."""
    exponents = np.arange(0, turned, 2, dtype=np.float32) / np.float32(turned)
    return np.asarray(np.float32(1) / np.float32(base) ** exponents, dtype=np.float32)


def read_rotation(config: Mapping[str, Any], depth: int, layers: str | None = None, base: float = BASE) -> Rotation:
    """The rotation of heads of `depth` numbers as the config has it.

    Newer configs keep all in `rope_parameters`, perhaps one for each kind of layer, of which `layers` names one; older
    ones have `rope_theta` and `rope_scaling`. `base` is the family's default. Raises `ModelFilesError` for a scaling
    that is not known here.
    """
    rope = parameters(config, layers)
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind not in _SCALINGS:
        raise UnsupportedModel(
            f"The rotary scaling '{kind}' is not supported; supported are {', '.join(sorted(_SCALINGS))}."
        )
    theta = rope.get("rope_theta") or config.get("rope_theta") or base
    part = rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0
    try:
        return _SCALINGS[kind](rope, config, int(depth * part), float(theta))
    except KeyError as error:
        raise ModelFilesError(f"config.json asks for the rotary scaling '{kind}' but does not say {error}.") from error


def parameters(config: Mapping[str, Any], layers: str | None = None) -> Mapping[str, Any]:
    """What the config says of the rotation, in its newer or its older form."""
    rope: Mapping[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kinds = {name: value for name, value in rope.items() if isinstance(value, Mapping)}
    return kinds.get(layers or "full_attention", {}) if kinds else rope


def _default(rope: Mapping[str, Any], config: Mapping[str, Any], turned: int, base: float) -> Rotation:
    return Rotation(frequencies(turned, base))


def _linear(rope: Mapping[str, Any], config: Mapping[str, Any], turned: int, base: float) -> Rotation:
    return Rotation(frequencies(turned, base) / np.float32(rope["factor"]))


def _dynamic(rope: Mapping[str, Any], config: Mapping[str, Any], turned: int, base: float) -> Rotation:
    """Scaled only for texts beyond the trained length, by the longest of a batch: those are never read here."""
    trained = rope.get("original_max_position_embeddings") or config["max_position_embeddings"]
    if trained < config["max_position_embeddings"]:
        raise UnsupportedModel(
            "Dynamic rotary scaling makes a vector depend on its neighbours and is not supported beyond the trained "
            f"length: set max_position_embeddings in config.json to {trained}."
        )
    return Rotation(frequencies(turned, base))


def _llama3(rope: Mapping[str, Any], config: Mapping[str, Any], turned: int, base: float) -> Rotation:
    """Slow frequencies are divided by `factor`, fast ones stay, between them it passes from one to the other."""
    plain = frequencies(turned, base)
    low, high, trained = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    turns = np.float32(trained) * plain / np.float32(2 * math.pi)
    kept = np.clip((turns - np.float32(low)) / np.float32(high - low), 0, 1)
    return Rotation(((1 - kept) * plain / np.float32(rope["factor"]) + kept * plain).astype(np.float32))


def _yarn(rope: Mapping[str, Any], config: Mapping[str, Any], turned: int, base: float) -> Rotation:
    """What turns often within the trained length stays, what turns less than once is divided by `factor`."""
    longest = config.get("max_position_embeddings")
    trained = rope.get("original_max_position_embeddings") or longest or rope["original_max_position_embeddings"]
    factor = rope.get("factor") or (longest or trained) / trained
    fast, slow = rope.get("beta_fast") or 32, rope.get("beta_slow") or 1
    first, last = (turned * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(base)) for turns in (fast, slow))
    if rope.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, turned - 1)
    ramp = (np.arange(turned // 2, dtype=np.float32) - np.float32(first)) / np.float32(max(last - first, 0.001))
    divided = np.clip(ramp, 0, 1)
    plain = frequencies(turned, base)
    scaled = (plain / np.float32(factor) * divided + plain * (1 - divided)).astype(np.float32)
    return Rotation(scaled, _yarn_factor(rope, factor))


def _yarn_factor(rope: Mapping[str, Any], factor: float) -> float:
    """What sine and cosine are multiplied by, so that attention stays as sharp as in training."""
    if rope.get("attention_factor") is not None:
        return float(rope["attention_factor"])

    def grown(strength: float) -> float:
        return 0.1 * strength * math.log(factor) + 1.0 if factor > 1 else 1.0

    one, all_of_them = rope.get("mscale"), rope.get("mscale_all_dim")
    return grown(one) / grown(all_of_them) if one and all_of_them else grown(1.0)


_SCALINGS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], int, float], Rotation]] = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
}
