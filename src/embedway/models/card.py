"""What a folder of sentence-transformers says of a model's use: its card, and how texts go into its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedway.models.folder import read_json, read_optional, unsupported
from embedway.models.late import Knobs

KINDS = ("SentenceTransformer", "SparseEncoder", "CrossEncoder", "MultiVectorEncoder", "ColBERT")
"""What models are called in their cards; the last is PyLate's."""
TASKS = ("feature-extraction", "fill-mask", "text-generation", "sequence-classification")
"""What networks are run for, as transformers calls it."""


@dataclass(frozen=True, slots=True)
class Network:
    """What stands before the heads: the first architecture that `config.json` names, its `model_type`, whether its
    tokens see only those before them, and the numbers for each token.
    """

    architecture: str
    family: str
    causal: bool
    width: int


class Card(Knobs):
    """`config_sentence_transformers.json`."""

    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    truncate_dim: int | None = None
    activation_fn: str | None = None
    model_type: str = "SentenceTransformer"


class Sentence(Knobs):
    """`sentence_bert_config.json`; newer versions leave the length to the tokenizer's own file."""

    max_seq_length: int | None = None
    do_lower_case: bool = False
    transformer_task: str | None = None
    modality_config: dict[str, Any] | None = None

    @property
    def template(self) -> Mapping[str, Any] | None:
        """How contents are put into a chat template; None where there is none."""
        return (self.modality_config or {}).get("message")


def read_card(folder: Path) -> Card:
    """What the model says of its use. Raises `ModelFilesError` for a kind of model that is not known."""
    card = read_optional(folder / "config_sentence_transformers.json", Card)
    if card.model_type not in KINDS:
        raise unsupported(folder, f"it is a {card.model_type}")
    return card


def read_sentence(folder: Path) -> Sentence:
    """How texts go into the network. Raises `ModelFilesError` for what is not supported."""
    named = sorted(folder.glob("sentence_*_config.json"))  # in the middle stands the network: bert, roberta, ...
    sentence = read_json(named[0], Sentence) if named else Sentence()
    if sentence.transformer_task not in (None, *TASKS):
        raise unsupported(folder, f"its network is run for {sentence.transformer_task}")
    return sentence
