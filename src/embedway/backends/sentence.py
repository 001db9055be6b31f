"""Models that no family here covers, run by sentence-transformers (the extra `sentence`).

The library's own tokenizing, modules and answers, padding included: it is for breadth, not for speed. Code that a
model brings along is never run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from embedway.backends.base import Backend
from embedway.backends.sentence_scores import ScoreBackend
from embedway.backends.sentence_vectors import SparseBackend, VectorBackend
from embedway.errors import ModelFilesError
from embedway.models.folder import read_json
from embedway.models.source import CONFIG, MODULES, ModelFiles
from embedway.types import ModelSpec

log = logging.getLogger(__name__)

BACKENDS: Mapping[str, type[VectorBackend | SparseBackend | ScoreBackend]] = {
    "SentenceTransformer": VectorBackend,
    "SparseEncoder": SparseBackend,
    "CrossEncoder": ScoreBackend,
}
"""By the library's classes, as the cards of models name them."""


def open_sentence(files: ModelFiles, spec: ModelSpec, threads: int) -> Backend:
    """Load the model as what it is. Raises `ModelFilesError` for what the library cannot load, for code of its own, and
    for a kind that is not run here.
    """
    refuse_own_code(files)
    kind = choose_kind(files, spec)
    if kind == "SentenceTransformer" and not (files.folder / MODULES).is_file():
        log.warning(
            "Model '%s' has no %s, so sentence-transformers guesses how tokens become a vector: compare with its card.",
            spec.name,
            MODULES,
        )
    return BACKENDS[kind](files, spec, threads)


def choose_kind(files: ModelFiles, spec: ModelSpec) -> str:
    """What the card says; without one, a network with a classifier scores, and so does a language model that is called
    a reranker. Everything else embeds.
    """
    card = files.folder / "config_sentence_transformers.json"
    told = read_json(card, dict[str, Any]).get("model_type") if card.is_file() else None
    if told is not None:
        if told not in BACKENDS:
            raise ModelFilesError(
                f"The model in {files.folder} is a {told}, which the sentence backend does not run: "
                f"it runs {', '.join(BACKENDS)}."
            )
        return str(told)
    if (files.folder / MODULES).is_file():
        return "SentenceTransformer"
    named = read_json(files.folder / CONFIG, dict[str, Any]).get("architectures") or [""]
    called = "rerank" in spec.source.lower() if spec.task == "auto" else spec.task == "rerank"
    asked = called and str(named[0]).endswith("ForCausalLM")
    return "CrossEncoder" if asked or str(named[0]).endswith("ForSequenceClassification") else "SentenceTransformer"


def refuse_own_code(files: ModelFiles) -> None:
    """Raise `ModelFilesError` for a model with modules that are not the library's."""
    path = files.folder / MODULES
    for module in read_json(path, list[dict[str, Any]]) if path.is_file() else ():
        if not str(module.get("type")).startswith("sentence_transformers."):
            raise ModelFilesError(
                f"The model in {files.folder} brings code of its own ({module.get('type')}), "
                "which Embedway does not run."
            )
