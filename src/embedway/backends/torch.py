"""Inference by torch, on CUDA or the CPU: a family run eagerly, straight from config.json and safetensors."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from embedway.backends.packed import Computed, PackedBackend, gives_hidden
from embedway.backends.torch_ops import TorchOps
from embedway.backends.torch_tokens import TorchTokens, TorchWeights
from embedway.errors import SettingsError, SetupError
from embedway.models.families import find_family
from embedway.models.heads import attach
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.weights import Weights
from embedway.types import DType, Features, ModelSpec, Output

KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


_NEEDS_HIDDEN = Output.TOKENS | Output.STATES


class DeviceMemoryError(RuntimeError):
    """A batch did not fit into the device's memory. The batcher tries its halves."""


class TorchBackend(PackedBackend):
    """One model on one device. Its weights lie there once, in the precision it computes in."""

    def __init__(self, files: ModelFiles, recipe: Recipe, spec: ModelSpec, threads: int) -> None:
        self._device = choose_device(spec)
        dtype = choose_dtype(spec, self._device)
        super().__init__("torch", files, recipe, spec, dtype, str(self._device))
        self._recipe = recipe
        self._family = find_family(recipe.family)
        self._family.check(recipe.config)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = False  # of whole float32, ten bits of mantissa would be left
        weights = Weights(files.weights(), self._family.PREFIXES, recipe.mounts)
        self._weights = TorchWeights(weights, self._device, KINDS[dtype], recipe.max_tokens)
        try:
            self.compute([Features(ids=np.zeros(1, dtype=np.int32), cost=1)])  # the first pass fetches the weights
        except DeviceMemoryError as error:
            raise SetupError(
                f"The model '{spec.name}' does not fit into the memory of {self._device}: "
                "take a smaller precision, another device, or stop what else uses it."
            ) from error

    def compute(self, batch: Sequence[Features]) -> Computed:
        try:
            parts, first = self._forward(batch)
            return Computed({name: rows.float().cpu().numpy() for name, rows in parts.items()}, first)
        except torch.OutOfMemoryError:
            tokens = sum(features.cost for features in batch)
            said = f"A batch of {tokens} tokens does not fit into the memory of {self._device}: lower max_batch_tokens."
        self._give_back()  # out of the except block: the error's frames hold the pass's tensors
        raise DeviceMemoryError(said)

    def close(self) -> None:
        del self._weights
        self._give_back()

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore]
    def _forward(self, batch: Sequence[Features]) -> tuple[dict[str, Any], Any]:
        """The parts of the heads, and the packed row where each item begins."""
        ops = TorchOps(self._weights, TorchTokens(batch, self._device))
        hidden = self._family.encode(ops, self._recipe.config, ops.tokens)
        parts = attach(ops, self._recipe.heads, self._family, self._recipe.config, hidden)
        if gives_hidden(self._recipe.heads) and any(_NEEDS_HIDDEN & features.outputs for features in batch):
            parts["hidden"] = hidden
        return parts, ops.tokens.first

    def _give_back(self) -> None:
        if self._device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()


def choose_device(spec: ModelSpec) -> Any:
    """The device asked for; `auto` is the first GPU, else the CPU. Raises `SettingsError` for one that is not there."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if spec.device == "auto":
        return torch.device("cuda:0" if count else "cpu")
    kind, _, index = spec.device.partition(":")
    if kind == "cpu" and not index:
        return torch.device("cpu")
    if kind != "cuda" or (index and not index.isdecimal()):
        raise SettingsError(f"The device '{spec.device}' of '{spec.name}' should be auto, cpu, cuda or cuda:NUMBER.")
    if int(index or 0) >= count:
        raise SettingsError(
            f"The model '{spec.name}' wants the device {spec.device}, but torch finds {count} GPUs: "
            "choose another device, or install the driver and a torch with CUDA."
        )
    return torch.device("cuda", int(index or 0))


def choose_dtype(spec: ModelSpec, device: Any) -> DType:
    """The precision asked for; `auto` is bfloat16 on a GPU that computes in it, float16 on an older one, and float32
    on the CPU. Raises `SettingsError` for int8.
    """
    if spec.dtype == "int8":
        raise SettingsError(f"The model '{spec.name}' cannot run in int8 on torch: choose bf16, fp16 or fp32.")
    if spec.dtype != "auto":
        return spec.dtype
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
