"""What the backends that run families on packed tokens share: texts in, the parts of each item's answer out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.tokens import TextReader
from embedway.types import DType, Facts, Features, Item, ModelSpec, Output, Outputs, Text

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Computed:
    """What one pass gave. `rows` has arrays with a row for each item, in the order of the batch, by the head's name."""

    rows: Mapping[str, Floats]


class PackedBackend:
    """Prepares and unpacks; `compute` is the implementation's."""

    def __init__(self, name: str, files: ModelFiles, recipe: Recipe, spec: ModelSpec, dtype: DType) -> None:
        self._reader = TextReader(
            files.folder, recipe.max_tokens, recipe.prompts, recipe.lowercase, spec.truncation or "cut"
        )
        vocabulary = recipe.config["vocab_size"]
        if self._reader.vocabulary_size > vocabulary:
            raise ModelFilesError(
                f"The tokenizer knows {self._reader.vocabulary_size} tokens, the model {vocabulary}: "
                "they do not belong together."
            )
        self.facts = Facts(
            backend=name,
            dtype=dtype,
            dimensions=recipe.dimensions,
            max_tokens=recipe.max_tokens,
            outputs=Output.DENSE,
            revision=files.revision,
            matryoshka=spec.matryoshka or recipe.matryoshka,
        )

    def prepare(self, item: Item) -> Features:
        if not isinstance(item, Text):
            raise InvalidInput("This model embeds texts; it scores no pairs.")
        return self._reader.read(item)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        dense = np.ascontiguousarray(self.compute(batch).rows["dense"], dtype=np.float32)
        return [Outputs(dense=row) for row in dense]

    def compute(self, batch: Sequence[Features]) -> Computed:
        """One pass over the batch, in the precision of the facts."""
        raise NotImplementedError
