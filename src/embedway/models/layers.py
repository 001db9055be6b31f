"""The modules of sentence-transformers with numbers of their own: linear layers and normalisations behind a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.folder import read_json, read_optional, subfolder, unsupported
from embedway.models.heads import Activation, Layer, Norm

CONFIG, WEIGHTS = "config.json", "model.safetensors"

ACTIVATIONS: Mapping[str, Activation] = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
}
"""Activations of a `Dense` module by the name of torch's class."""

Target = Literal["sentence_embedding", "token_embeddings"]
"""What a module works on: the pooled vector, or each token's."""


class Module(msgspec.Struct):
    """One line of `modules.json`."""

    type: str
    path: str = ""

    @property
    def kind(self) -> str:
        return self.type.rpartition(".")[2]


class _Dense(msgspec.Struct):
    """`2_Dense/config.json`."""

    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.modules.activation.Tanh"
    module_input_name: str | None = None
    module_output_name: str | None = None
    use_residual: bool = False


class _LayerNorm(msgspec.Struct):
    """`2_LayerNorm/config.json`."""

    dimension: int


def read_layers(
    folder: Path, modules: Sequence[Module], width: int, target: Target
) -> tuple[tuple[Layer | Norm, ...], dict[str, Path]]:
    """The layers of these modules, and their files by what their tensors are mounted under."""
    layers: list[Layer | Norm] = []
    mounts: dict[str, Path] = {}
    for module in modules:
        place = subfolder(folder, module.path)
        width_in = layers[-1].width_out if layers else width
        read = _read_norm if module.kind == "LayerNorm" else _read_dense
        layers.append(read(folder, place, module.path, width_in, target))
        if not (place / WEIGHTS).is_file():
            raise ModelFilesError(f"{place} has no {WEIGHTS}; fetch the model again, or convert its weights.")
        mounts[module.path] = place / WEIGHTS
    return tuple(layers), mounts


def check_normalize(folder: Path, module: Module, target: Target) -> None:
    """Raise `ModelFilesError` for a normalisation of something else than `target`."""
    told = read_optional(subfolder(folder, module.path) / CONFIG, dict[str, Any])
    if told.get("module_input_name", "sentence_embedding") != target:
        raise unsupported(folder, "it normalises something else than what it gives")


def _read_dense(folder: Path, place: Path, name: str, width: int, target: Target) -> Layer:
    told = read_json(place / CONFIG, _Dense)
    act = told.activation_function.rpartition(".")[2]
    given = told.module_input_name or target
    if given != target or told.module_output_name not in (None, target):
        raise unsupported(folder, "a linear layer of its modules works on something else than what it gives")
    if act not in ACTIVATIONS:
        raise unsupported(folder, f"a linear layer of its modules has the activation {act}")
    if told.in_features != width:
        raise ModelFilesError(f"{folder}: {name} takes {told.in_features} numbers, and is given {width}.")
    residual = f"{name}.residual" if told.use_residual else None
    return Layer(f"{name}.linear", width, told.out_features, told.bias, ACTIVATIONS[act], residual)


def _read_norm(folder: Path, place: Path, name: str, width: int, target: Target) -> Norm:
    told = read_json(place / CONFIG, _LayerNorm)
    if target != "sentence_embedding" or told.dimension != width:
        raise ModelFilesError(f"{folder}: {name} is for vectors of {told.dimension} numbers, and is given others.")
    return Norm(f"{name}.norm", width)
