"""Models that score: sequence classifiers, and language models that are asked whether a document answers a query."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.card import Card, Network, Sentence
from embedway.models.chat import Render, find_template, read_template, render_qwen3
from embedway.models.folder import read_json, read_optional, unsupported
from embedway.models.heads import Heads, ScoreHead
from embedway.models.tokens import open_tokenizer
from embedway.types import Activation, ModelSpec

CONFIG = "config.json"
KNOWN: Mapping[str, Activation] = {"Sigmoid": "sigmoid", "Identity": "identity", "Softmax": "softmax"}
"""What logits go through, by the name of torch's class."""


class _Classifier(msgspec.Struct):
    """What `config.json` says of a sequence classifier."""

    id2label: dict[str, str] | None = None
    num_labels: int | None = None
    problem_type: str | None = None
    sentence_transformers: dict[str, Any] | None = None
    sbert_ce_default_activation_function: str | None = None
    type_vocab_size: int = 2


class _Tokenizer(msgspec.Struct):
    """What `tokenizer_config.json` says of pairs."""

    model_input_names: list[str] | None = None
    tokenizer_class: str | None = None


class _Question(msgspec.Struct):
    """`1_LogitScore/config.json`: the tokens that answer."""

    true_token_id: int
    false_token_id: int | None = None
    module_input_name: str = "causal_logits"


def read_asked(network: Network, spec: ModelSpec) -> bool:
    """Whether a plain language model is meant for scoring pairs: as configured, or else by its name. The files of
    embedders and rerankers are alike.
    """
    if not network.architecture.endswith("ForCausalLM"):
        return False
    return spec.task == "rerank" or (spec.task == "auto" and "rerank" in spec.source.lower())


def read_question(
    folder: Path,
    network: Network,
    path: Path | None = None,
    card: Card | None = None,
    sentence: Sentence | None = None,
) -> tuple[Heads, Render]:
    """The head and the template of a language model that is asked about pairs.

    Without `path`, the module's config, it is a plain network: a Qwen3 is asked as its authors publish it (yes or no).
    Raises `ModelFilesError` for another one without a template of its own.
    """
    if path is None or card is None or sentence is None:
        if network.family != "qwen3":
            raise unsupported(folder, f"how a {network.family} is asked about pairs is not known")
        return Heads(scores=ScoreHead(("LABEL_0",), "sigmoid", False, find_answers(folder))), render_qwen3
    told = read_json(path, _Question)
    if told.module_input_name != "causal_logits" or sentence.template is None or find_template(folder) is None:
        raise unsupported(folder, "it scores pairs without a chat template")
    answers = (told.true_token_id,) if told.false_token_id is None else (told.true_token_id, told.false_token_id)
    named = (card.activation_fn or "Sigmoid").rpartition(".")[2]
    if named not in KNOWN:
        raise unsupported(folder, f"its scores go through {named}")
    asked = (card.prompts or {}).get(card.default_prompt_name or "")
    render = read_template(folder, sentence.template.get("format") == "structured", asked)
    return Heads(scores=ScoreHead(("LABEL_0",), KNOWN[named], False, answers)), render


def find_answers(folder: Path) -> tuple[int, int]:
    """The tokens yes and no. Raises `ModelFilesError` for a tokenizer without them."""
    tokenizer = open_tokenizer(folder)
    yes, no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
    if yes is None or no is None:
        raise ModelFilesError(f"{folder}: the tokenizer has not the tokens yes and no, with which a reranker answers.")
    return yes, no


def read_scores(folder: Path, activation: str | None) -> ScoreHead:
    """A sequence classifier's labels and activation, as the library's CrossEncoder and pipelines choose it.

    One label: a score of a pair, by sigmoid unless the folder names another. Several: by softmax, or by sigmoid where
    they do not exclude one another.
    """
    told = read_json(folder / CONFIG, _Classifier)
    names = told.id2label or {str(index): f"LABEL_{index}" for index in range(told.num_labels or 2)}
    labels = tuple(names[key] for key in sorted(names, key=int))
    nested = (told.sentence_transformers or {}).get("activation_fn")
    named = str(activation or nested or told.sbert_ce_default_activation_function or "").rpartition(".")[2]
    if named and named not in KNOWN:
        raise unsupported(folder, f"its scores go through {named}")
    several: Activation = "sigmoid" if told.problem_type == "multi_label_classification" else "softmax"
    typed = told.type_vocab_size > 1 and tells_apart(folder)
    return ScoreHead(labels, KNOWN.get(named) or ("sigmoid" if len(labels) == 1 else several), typed)


def tells_apart(folder: Path) -> bool:
    """Whether the tokenizer says which tokens are a pair's second text, as transformers 5 decides it: by what its file
    lists; without a list, a generic tokenizer does not.
    """
    told = read_optional(folder / "tokenizer_config.json", _Tokenizer)
    if told.model_input_names:
        return "token_type_ids" in told.model_input_names
    return told.tokenizer_class not in ("PreTrainedTokenizerFast", "TokenizersBackend")
