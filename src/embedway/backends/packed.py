"""What the backends that run families on packed tokens share: items in, the parts of each item's answer out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embedway.backends.base import Vocabulary
from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.chat import ChatReader
from embedway.models.heads import Heads
from embedway.models.late import LateReader
from embedway.models.lexical import TermWeigher
from embedway.models.recipe import Recipe
from embedway.models.source import ModelFiles
from embedway.models.tokens import TextReader
from embedway.types import DType, Facts, Features, Image, Item, ModelSpec, Output, Outputs, Sparse, Task, Text
from embedway.vectors import unit_rows

Floats = npt.NDArray[np.float32]
VOCABULARY_TOKENS = 512
"""Tokens whose logits over a vocabulary are held at once: of 30,000 terms, 61 MB."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What one pass gave, by the heads' names: `dense`, `scores` and `vocabulary` with a row for each item in the order
    of the batch, `terms` and `tokens` with one for each packed token, and `hidden` where `gives_hidden` says so;
    `first` is the packed row where each item begins.
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
        self._special_ids = np.array(self._reader.special_ids, dtype=np.int32)
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
            pooling=recipe.heads.dense.pooling if recipe.heads.dense else "",
            normalized=recipe.heads.dense is None or recipe.heads.dense.normalized,
            token_head=recipe.heads.tokens is not None,
            sparse_head=recipe.heads.terms is not None or recipe.heads.vocabulary is not None,
        )
        self._weigher = TermWeigher(self._reader.spell_text) if recipe.heads.dense else None

    def prepare(self, item: Item) -> Features:
        if isinstance(item, Image):
            raise InvalidInput("This model reads no images: send it texts.")
        features = self._reader.read(item)
        if self._weigher and isinstance(item, Text) and Output.SPARSE in item.outputs and not self.facts.sparse_head:
            ids = self._reader.read(dataclasses.replace(item, prompt="")).ids if self._reader.prompted else features.ids
            features = dataclasses.replace(features, sparse=self._weigher.weigh(ids, item.role))
        return features if self._typed else dataclasses.replace(features, types=None)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        if all(features.sparse and features.outputs == Output.SPARSE for features in batch):
            return [Outputs(sparse=features.sparse) for features in batch]  # no network is needed
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

    @property
    def vocabulary(self) -> Vocabulary:
        return self._reader

    def compute(self, batch: Sequence[Features]) -> Computed:
        """One pass over the batch, in the precision of the facts."""
        raise NotImplementedError

    def _unpack(self, parts: Mapping[str, Floats], index: int, rows: slice, features: Features) -> Outputs:
        wanted = features.outputs
        return Outputs(
            dense=parts["dense"][index] if Output.DENSE in wanted else None,
            scores=parts["scores"][index] if Output.SCORES in wanted else None,
            sparse=self._sparse(parts, index, rows, features) if Output.SPARSE in wanted else None,
            tokens=self._tokens(parts, rows, features) if Output.TOKENS in wanted else None,
            states=parts["hidden"][rows].copy() if Output.STATES in wanted else None,
        )

    def _tokens(self, parts: Mapping[str, Floats], rows: slice, features: Features) -> Floats:
        """By the head for them; else the last hidden states of the tokens that stand for text, brought to length 1."""
        head = self._heads.tokens
        if head is None:
            return unit_rows(parts["hidden"][rows][~np.isin(features.ids, self._special_ids)])
        kept = slice(head.skipped, None) if features.kept is None else features.kept
        return parts["tokens"][rows][kept].copy()

    def _sparse(self, parts: Mapping[str, Floats], index: int, rows: slice, features: Features) -> Sparse:
        if features.sparse is not None:
            return features.sparse
        if self._heads.vocabulary is None:
            return self._weigh(features, parts["terms"][rows, 0])
        weights = parts["vocabulary"][index]
        ids = np.flatnonzero(weights > 0).astype(np.int32)
        return Sparse(ids, weights[ids].astype(np.float32))

    def _weigh(self, features: Features, weights: Floats) -> Sparse:
        """Each term once, with its largest weight; tokens that stand for no text have none."""
        kept = (weights > 0) & ~np.isin(features.ids, self._special_ids)
        ids, first, places = np.unique(features.ids[kept], return_index=True, return_inverse=True)
        largest = np.zeros(len(ids), dtype=np.float32)
        np.maximum.at(largest, places, weights[kept])
        return Sparse(ids, largest, np.argsort(first).astype(np.int32))


def make_reader(files: ModelFiles, recipe: Recipe, spec: ModelSpec) -> TextReader:
    """How this model's texts become tokens."""
    prompts = recipe.prompts
    policy = spec.truncation or "cut"
    known = (prompts.once, prompts.named)
    plain = (files.folder, recipe.max_tokens, prompts.by_role, recipe.lowercase, policy, *known)
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
    if gives_hidden(heads):
        found |= Output.TOKENS | Output.STATES
    return found | Output.SPARSE if heads.dense is not None else found


def gives_hidden(heads: Heads) -> bool:
    """Whether the token vectors of a model with these heads are its last hidden states: an embedder's without a head
    for them. A backend then adds the part `hidden`, `[n, width]`.
    """
    return heads.dense is not None and heads.tokens is None


def tasks(heads: Heads) -> frozenset[Task]:
    """What a model with these heads is for."""
    if heads.scores is None:
        return frozenset({"embedding"})
    return frozenset({"rerank"}) if len(heads.scores.labels) == 1 else frozenset({"classify"})
