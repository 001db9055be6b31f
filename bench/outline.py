"""Which tensors a network has: its family is run with operations that compute nothing and note names and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedway.models.families import find_family


@dataclass(frozen=True)
class Tokens:
    """Stand for the batch's tokens."""

    ids: int = 1
    positions: int = 1
    types: int = 1


class Outline:
    """The vocabulary of operations; a tensor is only the length of its rows. `shapes` has what was asked for."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}

    def embedding(self, name: str, rows: int, width: int, ids: int) -> int:
        self.shapes[name] = (rows, width)
        return width

    def linear(self, name: str, x: int, width_in: int, width_out: int, bias: bool = True) -> int:
        self.shapes[f"{name}.weight"] = (width_out, width_in)
        if bias:
            self.shapes[f"{name}.bias"] = (width_out,)
        return width_out

    def layer_norm(self, name: str, x: int, width: int, eps: float, bias: bool = True) -> int:
        self.shapes[f"{name}.weight"] = (width,)
        if bias:
            self.shapes[f"{name}.bias"] = (width,)
        return x

    def rms_norm(self, name: str, x: int, width: int, eps: float, offset: float = 0.0) -> int:
        self.shapes[f"{name}.weight"] = (width,)
        return x

    def split(self, x: int, widths: Sequence[int]) -> Sequence[int]:
        return widths

    def __getattr__(self, operation: str) -> Any:
        """All others keep the length of their first tensor's rows."""
        return lambda x, *rest, **named: x


def outline(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of the network that a `config.json` describes."""
    family = find_family(config["model_type"])
    family.check(config)
    ops = Outline()
    family.encode(ops, config, Tokens())
    return ops.shapes
