"""What the backends that run families on packed tokens share: items in, the parts of each item's answer out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedway.errors import ModelFilesError
from embedway.models.chat import ChatReader
from embedway.models.heads import Heads
from embedway.models.late import LateReader
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.tokens import TextReader
from embedway.types import DType, Facts, Features, Item, ModelSpec, Output, Outputs, Sparse, Task

Floats = npt.NDArray[np.float32]
VOCABULARY_TOKENS = 512
"""Tokens whose logits over a vocabulary are held at once: of 30,000 terms, 61 MB."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What one pass gave, by the heads' names: `dense`, `scores` and `vocabulary` with a row for each item in the order
    of the batch, `terms` and `tokens` with one for each packed token; `first` is the packed row where each item begins.
    """

    parts: Mapping[str, Floats]
    first: npt.NDArray[np.int32]


class PackedBackend:
    """Prepares and unpacks; `compute` is the implementation's."""

    def __init__(
        self, name: str, files: ModelFiles, recipe: Recipe, spec: ModelSpec, dtype: DType, device: str = "cpu"
    ) -> None:
        self._reader = make_reader(files, recipe, spec)
        vocabulary = recipe.config["vocab_size"]
        if self._reader.vocabulary_size > vocabulary:
            raise ModelFilesError(
                f"The tokenizer knows {self._reader.vocabulary_size} tokens, the model {vocabulary}: "
                "they do not belong together."
            )
        self._heads = recipe.heads
        self._typed = recipe.heads.scores is not None and recipe.heads.scores.typed
        scores = recipe.heads.scores
        self.facts = Facts(
            backend=name,
            dtype=dtype,
            dimensions=recipe.dimensions,
            max_tokens=recipe.max_tokens,
            outputs=given(recipe.heads),
            revision=files.revision,
            tasks=tasks(recipe.heads),
            matryoshka=spec.matryoshka or recipe.matryoshka,
            labels=scores.labels if scores and len(scores.labels) > 1 else (),
            activation=scores.activation if scores else "identity",
            device=device,
        )

    def prepare(self, item: Item) -> Features:
        features = self._reader.read(item)
        return features if self._typed else dataclasses.replace(features, types=None)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        if self._heads.vocabulary is None:
            return self._run(batch)
        # A number for every term and token: a whole batch of them would fill the memory.
        return [outputs for part in portions(batch, VOCABULARY_TOKENS) for outputs in self._run(part)]

    def _run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        computed = self.compute(batch)
        parts = {
            name: np.ascontiguousarray(part, dtype=np.float32) if name in ("dense", "scores") else part
            for name, part in computed.parts.items()
        }
        return [
            self._unpack(parts, index, slice(begin, begin + features.cost), features)
            for index, (begin, features) in enumerate(zip(computed.first, batch, strict=True))
        ]

    def compute(self, batch: Sequence[Features]) -> Computed:
        """One pass over the batch, in the precision of the facts."""
        raise NotImplementedError

    def _unpack(self, parts: Mapping[str, Floats], index: int, rows: slice, features: Features) -> Outputs:
        wanted = features.outputs
        return Outputs(
            dense=parts["dense"][index] if Output.DENSE in wanted else None,
            scores=parts["scores"][index] if Output.SCORES in wanted else None,
            sparse=self._sparse(parts, index, rows, features) if Output.SPARSE in wanted else None,
            tokens=self._tokens(parts["tokens"][rows], features) if Output.TOKENS in wanted else None,
        )

    def _tokens(self, vectors: Floats, features: Features) -> Floats:
        head = self._heads.tokens
        kept = slice(head.skipped if head else 0, None) if features.kept is None else features.kept
        return vectors[kept].copy()

    def _sparse(self, parts: Mapping[str, Floats], index: int, rows: slice, features: Features) -> Sparse:
        if self._heads.vocabulary is None:
            return self._weigh(features, parts["terms"][rows, 0])
        weights = parts["vocabulary"][index]
        ids = np.flatnonzero(weights > 0).astype(np.int32)
        return Sparse(ids, weights[ids].astype(np.float32))

    def _weigh(self, features: Features, weights: Floats) -> Sparse:
        """Each term once, with its largest weight; tokens that stand for no text have none."""
        kept = (weights > 0) & ~np.isin(features.ids, self._reader.special_ids)
        ids, places = np.unique(features.ids[kept], return_inverse=True)
        largest = np.zeros(len(ids), dtype=np.float32)
        np.maximum.at(largest, places, weights[kept])
        return Sparse(ids, largest)


def make_reader(files: ModelFiles, recipe: Recipe, spec: ModelSpec) -> TextReader:
    """How this model's texts become tokens."""
    prompts = recipe.prompts
    plain = (files.folder, recipe.max_tokens, prompts.by_role, recipe.lowercase, spec.truncation or "cut", prompts.once)
    if recipe.late is not None:
        return LateReader(recipe.late, *plain)
    if recipe.render is not None:
        return ChatReader(recipe.render, *plain)
    return TextReader(*plain)


def portions(batch: Sequence[Features], tokens: int) -> Iterator[Sequence[Features]]:
    """The batch in parts of at most so many tokens, and at least one item."""
    start = total = 0
    for index, features in enumerate(batch):
        if index > start and total + features.cost > tokens:
            yield batch[start:index]
            start, total = index, 0
        total += features.cost
    yield batch[start:]


def given(heads: Heads) -> Output:
    """What a model with these heads can be asked for."""
    found = Output(0)
    for head, output in (
        (heads.dense, Output.DENSE),
        (heads.terms, Output.SPARSE),
        (heads.vocabulary, Output.SPARSE),
        (heads.tokens, Output.TOKENS),
        (heads.scores, Output.SCORES),
    ):
        if head is not None:
            found |= output
    return found


def tasks(heads: Heads) -> frozenset[Task]:
    """What a model with these heads is for."""
    if heads.scores is None:
        return frozenset({"embedding"})
    return frozenset({"rerank"}) if len(heads.scores.labels) == 1 else frozenset({"classify"})
