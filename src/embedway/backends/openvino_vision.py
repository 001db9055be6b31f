"""CPU inference of two towers: a graph for each, of one file of weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import openvino

from embedway.backends.openvino import choose_dtype, compile_model, feeds, named
from embedway.backends.openvino_ops import GraphOps
from embedway.backends.packing import Layout, lay_out
from embedway.backends.vision import TOWERS, Floats, Tower, VisionBackend
from embedway.errors import SettingsError
from embedway.models.source import ModelFiles
from embedway.models.vision import VisionRecipe
from embedway.models.weights import Weights
from embedway.types import Features, ModelSpec


class OpenVinoVisionBackend(VisionBackend):
    """Both towers compiled for the CPU, each one stream that uses all `threads`."""

    def __init__(self, files: ModelFiles, recipe: VisionRecipe, spec: ModelSpec, threads: int) -> None:
        dtype = choose_dtype(spec)
        if dtype == "int8":
            raise SettingsError(
                f"int8 is measured by texts, and the model '{spec.name}' reads images too: choose fp32 or bf16 for it."
            )
        super().__init__("openvino", files, recipe, spec, dtype)
        self._weights = Weights(files.weights(), recipe.network.PREFIXES)  # what is compiled reads them
        self._requests = {
            tower: compile_model(build_tower(self._weights, recipe, tower), dtype, threads).create_infer_request()
            for tower in TOWERS
        }
        self._inputs = {
            tower: [name for port in request.model_inputs for name in port.get_names()]
            for tower, request in self._requests.items()
        }
        self.warm()
        self._weights.release()

    def compute(self, tower: Tower, batch: Sequence[Features]) -> Floats:
        layout = lay_out([features.cost for features in batch])
        given = feeds(batch, layout)
        if tower == "image":
            given["pixels"] = pack_pixels(batch, layout)
        return np.array(self._requests[tower].infer({name: given[name] for name in self._inputs[tower]})[0])

    def close(self) -> None:
        del self._requests, self._weights


def build_tower(weights: Weights, recipe: VisionRecipe, tower: Tower) -> openvino.Model:
    """Tokens or pixels in, vectors `[items, dimensions]` out. It shares the memory of `weights`."""
    if tower == "image":
        ops = GraphOps(weights, recipe.image_tokens)
        vectors = recipe.network.encode_image(ops, recipe.config, ops.tokens)
    else:
        ops = GraphOps(weights, recipe.config["text_config"]["max_position_embeddings"])
        vectors = recipe.network.encode_text(ops, recipe.config, ops.tokens)
    return openvino.Model([named(vectors, "dense")], ops.parameters, f"{recipe.family}_{tower}")


def pack_pixels(batch: Sequence[Features], layout: Layout) -> npt.NDArray[np.generic]:
    """The rows of all images one behind the other, as `layout` has them, and rows of 0 to fill up."""
    rows = [pixels for index in layout.order if (pixels := batch[index].pixels) is not None]
    packed = np.zeros((len(layout.positions), rows[0].shape[1]), dtype=np.float32)
    np.concatenate(rows, out=packed[: sum(len(one) for one in rows)])
    return packed
