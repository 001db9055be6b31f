"""Embedders of sentence-transformers: one vector for a text or an image, or a weight for each term of a vocabulary."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Pictures
from sentence_transformers import SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Normalize

from embedway.backends.sentence_library import Ask, LibraryBackend, LibraryFeatures, token_ids
from embedway.errors import InvalidInput
from embedway.models.images import read_image
from embedway.models.prompts import NAMES
from embedway.models.source import ModelFiles
from embedway.types import Features, Image, Item, ModelSpec, Output, Outputs, Role, Sparse, Text

PATCH = 16
"""Pixels along the side of a patch, where a network's config does not say."""
USUAL = 448
"""Pixels along the side of a middling image."""


class VectorBackend(LibraryBackend):
    """A `SentenceTransformer`, of texts or of texts and images."""

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        super().__init__(SentenceTransformer, files, spec, threads)
        self._prompts = choose_prompts(self._model, spec)
        self.facts = dataclasses.replace(self.facts, outputs=Output.DENSE, matryoshka=spec.matryoshka)
        vector = self._try(files, Text("a")).dense
        self.facts = dataclasses.replace(
            self.facts,
            dimensions=0 if vector is None else len(vector),
            normalized=any(isinstance(module, Normalize) for module in self._model),
        )
        if "image" in self._model.modalities:
            self.facts = dataclasses.replace(
                self.facts,
                tasks=frozenset({"multimodal"}),
                modalities=frozenset({"text", "image"}),
                image_tokens=self._count_usual(),
            )

    def prepare(self, item: Item) -> Features:
        if isinstance(item, Text):
            return self._read(
                item.text, make_ask(item, self._prompts, self._model.prompts), item.outputs, item.truncation
            )
        if isinstance(item, Image) and "image" in self.facts.modalities:
            return self._read_image(item)
        takes = "texts and images; it scores" if "image" in self.facts.modalities else "texts; it reads no images and"
        raise InvalidInput(f"This model embeds {takes} no pairs.")

    def answer(self, made: Mapping[str, Any], batch: Sequence[LibraryFeatures]) -> Sequence[Outputs]:
        vectors = made["sentence_embedding"][..., : self._model.truncate_dim].float().cpu().numpy()
        return [Outputs(dense=row) for row in vectors]

    def _count_usual(self) -> int:
        """What a middling image costs; others may cost more or less where the model keeps their size."""
        file = io.BytesIO()
        Pictures.new("RGB", (USUAL, USUAL)).save(file, "PNG")
        try:
            return self._read_image(Image(file.getvalue())).cost
        except InvalidInput:
            return self._max_tokens

    def _read_image(self, item: Image) -> Features:
        """Raises `InvalidInput` for what is no image, and for one of more tokens than the model reads.

        The role does not matter: like the library, no prompt is put before an image.
        """
        picture = read_image(item.data)
        try:
            with self._lock:
                given = self._preprocess([picture], Ask())
        except ValueError as error:  # the places of an image's patches were cut off
            raise InvalidInput(
                f"The image has more patches than the {self._max_tokens} tokens that this model reads: "
                "send a smaller one."
            ) from error
        ids = token_ids(given) if "input_ids" in given else np.zeros(0, dtype=np.int32)
        cost = len(ids) or count_patches(self._model.config, given["pixel_values"].shape)
        return LibraryFeatures(ids=ids, cost=cost, outputs=item.outputs, given=given)


class SparseBackend(LibraryBackend):
    """A `SparseEncoder`: SPLADE and its kin. `ids` are the vocabulary's."""

    padded_tokens = 2048
    """There is a number for every token and term: of 30,000 terms, 245 MB."""

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        super().__init__(SparseEncoder, files, spec, threads)
        self._prompts = choose_prompts(self._model, spec)
        self.facts = dataclasses.replace(self.facts, outputs=Output.SPARSE, sparse_head=True)
        self._try(files, Text("a", outputs=Output.SPARSE))

    def prepare(self, item: Item) -> Features:
        if not isinstance(item, Text):
            raise InvalidInput("This model weighs the terms of texts; it reads no pairs and no images.")
        return self._read(item.text, make_ask(item, self._prompts, self._model.prompts), item.outputs, item.truncation)

    def answer(self, made: Mapping[str, Any], batch: Sequence[LibraryFeatures]) -> Sequence[Outputs]:
        return [Outputs(sparse=self._choose(row)) for row in made["sentence_embedding"].float()]

    def _choose(self, weights: Any) -> Sparse:
        """What is not 0, or the largest of them where the model's card says how many."""
        ids = torch.nonzero(weights).reshape(-1)
        most = self._model.max_active_dims
        if most is not None and len(ids) > most:
            ids = ids[torch.topk(weights[ids].abs(), most).indices].sort().values
        return Sparse(ids.cpu().numpy().astype(np.int32), weights[ids].cpu().numpy())


def make_ask(item: Text, prompts: Mapping[Role, str], named: Mapping[str, str]) -> Ask:
    """The item's own prompt, else the one it names, else its role's. Raises `InvalidInput` for what the library cannot
    do: cut at the left, put an instruction into a prompt.
    """
    if item.side == "left" or item.instruction is not None:
        what = "cut texts at their beginning" if item.side == "left" else "take an instruction"
        raise InvalidInput(f"This model runs in sentence-transformers, which does not {what} here: leave that out.")
    if item.prompt is None and item.prompt_name is not None:
        if item.prompt_name not in named:
            known = ", ".join(sorted(named)) or "none"
            raise InvalidInput(f"The model has no prompt called '{item.prompt_name[:80]}'; it has {known}.")
        return Ask(named[item.prompt_name] or None, item.role)
    return Ask((prompts[item.role] if item.prompt is None else item.prompt) or None, item.role)


def choose_prompts(model: Any, spec: ModelSpec) -> Mapping[Role, str]:
    """Each role's prompt as configured, else by the model's own names, else its default one, else none."""
    prompts: Mapping[str, str] = model.prompts
    default = prompts.get(model.default_prompt_name or "") or ""
    configured = {"query": spec.query_prompt, "document": spec.document_prompt}
    own = {role: next((prompts[name] for name in names if prompts.get(name)), default) for role, names in NAMES.items()}
    return {role: own[role] if (asked := configured[role]) is None else asked for role in NAMES}


def count_patches(config: Any, shape: Sequence[int]) -> int:
    """The patches of an image `[1, colours, height, width]`, at least 1."""
    side = int(getattr(getattr(config, "vision_config", config), "patch_size", None) or PATCH)
    return max(1, (shape[-2] // side) * (shape[-1] // side))
