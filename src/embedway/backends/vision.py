"""What the backends that run two towers share: items in, sorted by tower, one pass for each tower, vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from embedway.errors import InvalidInput
from embedway.models.source import ModelFiles
from embedway.models.vision import VisionReader, VisionRecipe
from embedway.types import DType, Facts, Features, Image, Item, ModelSpec, Output, Outputs, Text

Floats = npt.NDArray[np.float32]
Tower = Literal["text", "image"]
TOWERS: tuple[Tower, ...] = ("text", "image")


class VisionBackend:
    """Prepares and sorts; `compute` is the implementation's."""

    def __init__(
        self, name: str, files: ModelFiles, recipe: VisionRecipe, spec: ModelSpec, dtype: DType, device: str = "cpu"
    ) -> None:
        self._reader = VisionReader(files, recipe, spec)
        self._recipe = recipe
        self.facts = Facts(
            backend=name,
            dtype=dtype,
            dimensions=recipe.dimensions,
            max_tokens=recipe.max_tokens,
            outputs=Output.DENSE,
            revision=files.revision,
            tasks=frozenset({"multimodal"}),
            matryoshka=spec.matryoshka,
            device=device,
            modalities=frozenset(TOWERS),
            image_tokens=recipe.image_tokens,
        )

    def prepare(self, item: Item) -> Features:
        if isinstance(item, Text):
            return self._reader.read_text(item)
        if isinstance(item, Image):
            return self._reader.read_image(item)
        raise InvalidInput("This model embeds texts and images; it scores no pairs.")

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        return self._reader.spell(ids)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        outputs: list[Outputs] = [Outputs()] * len(batch)
        for tower in TOWERS:
            chosen = [index for index, one in enumerate(batch) if (one.pixels is not None) == (tower == "image")]
            if not chosen:
                continue
            vectors = np.ascontiguousarray(self.compute(tower, [batch[index] for index in chosen]), dtype=np.float32)
            for index, vector in zip(chosen, vectors, strict=True):
                outputs[index] = Outputs(dense=vector)
        return outputs

    def compute(self, tower: Tower, batch: Sequence[Features]) -> Floats:
        """One pass of one tower: `[items, dimensions]`, in the precision of the facts."""
        raise NotImplementedError

    def warm(self) -> None:
        """One pass of each tower: the first one arranges, or fetches, the weights."""
        self.compute("text", [Features(ids=np.zeros(1, dtype=np.int32), cost=1)])
        vision, count = self._recipe.config["vision_config"], self._recipe.image_tokens
        pixels = np.zeros((count, vision["num_channels"] * vision["patch_size"] ** 2), dtype=np.float32)
        self.compute("image", [Features(ids=np.zeros(0, dtype=np.int32), cost=count, pixels=pixels)])
