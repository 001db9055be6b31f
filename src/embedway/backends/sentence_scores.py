"""Models of sentence-transformers that score: cross-encoders, classifiers, and language models that are asked about a
pair.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import CrossEncoder

from embedway.backends.sentence_library import Ask, LibraryBackend, LibraryFeatures, token_ids
from embedway.errors import InvalidInput
from embedway.models.folder import read_json
from embedway.models.source import CONFIG, ModelFiles
from embedway.types import Activation, Features, Item, ModelSpec, Output, Outputs, Pair, Text

KNOWN: Mapping[type, Activation] = {
    torch.nn.Sigmoid: "sigmoid",
    torch.nn.Identity: "identity",
    torch.nn.Softmax: "softmax",
}
"""What logits go through, by torch's class."""


class ScoreBackend(LibraryBackend):
    """A `CrossEncoder`. Its scores are logits, of which the facts' activation makes the library's scores; those of an
    activation that the facts have no word for went through it already.
    """

    def __init__(self, files: ModelFiles, spec: ModelSpec, threads: int) -> None:
        super().__init__(CrossEncoder, files, spec, threads)
        labels = read_labels(self._model)
        self._known = type(self._model.activation_fn) in KNOWN
        self.facts = dataclasses.replace(
            self.facts,
            outputs=Output.SCORES,
            tasks=frozenset({"classify" if labels else "rerank"}),
            labels=labels,
            activation=choose_activation(files.folder, self._model),
        )
        self._default = self._model.prompts.get(self._model.default_prompt_name or "") or None
        self._instructed = False
        self._try(files, Pair("a", "b"))
        self._instructed = self._hears("a", "b")

    def prepare(self, item: Item) -> Features:
        if isinstance(item, Pair):
            return self._read((item.query, item.document), Ask(self._choose_prompt(item.instruction)), item.outputs)
        if isinstance(item, Text) and self.facts.labels:
            return self._read(item.text, Ask(self._default), item.outputs)
        raise InvalidInput("This model scores pairs of a query and a document; it gives no vectors.")

    def answer(self, made: Mapping[str, Any], batch: Sequence[LibraryFeatures]) -> Sequence[Outputs]:
        logits = made["scores"].float()
        scores = logits if self._known else self._model.activation_fn(logits)
        return [Outputs(scores=row) for row in scores.reshape(len(batch), -1).cpu().numpy()]

    def _choose_prompt(self, instruction: str | None) -> str | None:
        if instruction is None:
            return self._default
        if not self._instructed:
            raise InvalidInput("This model scores pairs without an instruction: leave it out.")
        return instruction

    def _hears(self, query: str, document: str) -> bool:
        """Whether the model's template has a place for an instruction. A prompt that is merely put before the query
        would be taken as part of it.
        """
        if "message" not in self._model.modalities:
            return False
        asked, plain = (
            token_ids(self._preprocess([(query, document)], Ask(prompt))).tolist() for prompt in ("c", None)
        )
        return bool(asked != plain)


def read_labels(model: Any) -> tuple[str, ...]:
    """What several scores stand for; none for a single one."""
    count = model.num_labels
    if count == 1:
        return ()
    names: Mapping[int, str] = getattr(model.config, "id2label", None) or {}
    return tuple(str(names.get(index, f"LABEL_{index}")) for index in range(count))


def choose_activation(folder: Path, model: Any) -> Activation:
    """The library's own, for one score and where the folder names it. Otherwise several labels exclude one another, or
    not, as the config says: by `softmax` or `sigmoid`, as transformers' pipelines have it.
    """
    if model.num_labels > 1 and not names_activation(folder):
        return "sigmoid" if model.config.problem_type == "multi_label_classification" else "softmax"
    return KNOWN.get(type(model.activation_fn), "identity")


def names_activation(folder: Path) -> bool:
    """Whether the card or the config says what the scores go through."""
    card = folder / "config_sentence_transformers.json"
    told = read_json(card, dict[str, Any]) if card.is_file() else {}
    config = read_json(folder / CONFIG, dict[str, Any])
    nested = config.get("sentence_transformers") or {}
    older = config.get("sbert_ce_default_activation_function")
    return bool(told.get("activation_fn") or nested.get("activation_fn") or older)
