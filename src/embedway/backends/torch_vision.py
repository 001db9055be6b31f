"""Inference of two towers by torch, on CUDA or the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from embedway.backends.torch import KINDS, DeviceMemoryError, choose_device, choose_dtype
from embedway.backends.torch_ops import TorchOps
from embedway.backends.torch_tokens import TorchTokens, TorchWeights
from embedway.backends.vision import Floats, Tower, VisionBackend
from embedway.errors import SetupError
from embedway.models.source import ModelFiles
from embedway.models.vision import VisionRecipe
from embedway.models.weights import Weights
from embedway.types import Features, ModelSpec


class TorchVisionBackend(VisionBackend):
    """Both towers on one device. Their weights lie there once, in the precision they compute in."""

    def __init__(self, files: ModelFiles, recipe: VisionRecipe, spec: ModelSpec, threads: int) -> None:
        self._device = choose_device(spec)
        dtype = choose_dtype(spec, self._device)
        super().__init__("torch", files, recipe, spec, dtype, str(self._device))
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = False  # of whole float32, ten bits of mantissa would be left
        weights = Weights(files.weights(), recipe.network.PREFIXES)
        longest = max(recipe.image_tokens, recipe.config["text_config"]["max_position_embeddings"])
        self._weights = TorchWeights(weights, self._device, KINDS[dtype], longest)
        try:
            self.warm()
        except DeviceMemoryError as error:
            raise SetupError(
                f"The model '{spec.name}' does not fit into the memory of {self._device}: "
                "take a smaller precision, another device, or stop what else uses it."
            ) from error

    def compute(self, tower: Tower, batch: Sequence[Features]) -> Floats:
        try:
            return np.asarray(self._forward(tower, batch).float().cpu().numpy())
        except torch.OutOfMemoryError:
            tokens = sum(features.cost for features in batch)
            said = f"A batch of {tokens} tokens does not fit into the memory of {self._device}: lower max_batch_tokens."
        self._give_back()  # out of the except block: the error's frames hold the pass's tensors
        raise DeviceMemoryError(said)

    def close(self) -> None:
        del self._weights
        self._give_back()

    @torch.inference_mode()  # type: ignore[untyped-decorator, unused-ignore]
    def _forward(self, tower: Tower, batch: Sequence[Features]) -> Any:
        ops = TorchOps(self._weights, TorchTokens(batch, self._device))
        network = self._recipe.network
        encode = network.encode_image if tower == "image" else network.encode_text
        return encode(ops, self._recipe.config, ops.tokens)

    def _give_back(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
