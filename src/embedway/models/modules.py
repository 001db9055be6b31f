"""What stands behind the network in a model folder: the modules of sentence-transformers, or a task's head.

The files are read as version 6.2 of the library reads them. A folder without `modules.json` is a plain encoder: the
library pools it with the mean (a causal one: the last token) and does not normalise; Embedway normalises too, so these
vectors are the library's brought to length 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from embedway.errors import ModelFilesError, UnsupportedModel
from embedway.models.families.ops import Pooling
from embedway.models.heads import Activation, DenseHead, Heads, Layer, ScoreHead, TermHead, TokenHead
from embedway.models.source import CONFIG, MODULES, WEIGHTS, T, read_json
from embedway.types import Activation as ScoreActivation

POOLINGS: Mapping[str, Pooling] = {
    "mean": "mean",
    "cls": "cls",
    "max": "max",
    "lasttoken": "last",
    "weightedmean": "weighted",
}
"""The library's names of the poolings that are known here."""

ACTIVATIONS: Mapping[str, Activation] = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
}
"""Activations of a `Dense` module by the name of torch's class."""

TERMS, TOKENS = "sparse_linear", "colbert_linear"
"""BGE-M3's further heads, files beside the weights."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The heads, and `mounts`: the files with their tensors, by what stands before their names."""

    heads: Heads
    mounts: Mapping[str, Path] = field(default_factory=dict)
    prompt_pooled: bool = True


class _Module(msgspec.Struct):
    type: str
    path: str = ""

    @property
    def kind(self) -> str:
        return self.type.rpartition(".")[2]


class _Pooling(msgspec.Struct):
    """`1_Pooling/config.json`: the mode by name, or by flags in older versions; none of them means the mean."""

    pooling_mode: str | list[str] | None = None
    embedding_dimension: int | None = None
    word_embedding_dimension: int | None = None
    include_prompt: bool = True


class _Dense(msgspec.Struct):
    """`2_Dense/config.json`."""

    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.modules.activation.Tanh"
    module_input_name: str = "sentence_embedding"
    module_output_name: str | None = None


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


def read_behind(folder: Path, architecture: str, causal: bool, width: int, activation: str | None = None) -> Behind:
    """What the folder has behind its network of `width`. Raises `ModelFilesError` for what is not supported.

    `architecture` is the first that `config.json` names, `causal` whether its tokens see only those before them,
    `activation` what its card says of scores.
    """
    if architecture.endswith("ForSequenceClassification"):
        return Behind(Heads(scores=read_scores(folder, activation)))
    if (folder / MODULES).is_file():
        return with_further(folder, read_modules(folder, width), width)
    last = architecture.endswith("ForCausalLM") and causal
    return with_further(folder, Behind(Heads(dense=DenseHead("last" if last else "mean"))), width)


def read_modules(folder: Path, width: int) -> Behind:
    """The modules after the network: a pooling, perhaps linear layers, perhaps a normalisation."""
    modules = read_json(folder / MODULES, list[_Module])
    for module in modules:
        if not module.type.startswith("sentence_transformers."):
            raise unsupported(folder, f"it brings code of its own ({module.type})")
    kinds = [module.kind for module in modules]
    if other := next((kind for kind in kinds if kind not in ("Transformer", "Pooling", "Dense", "Normalize")), None):
        raise unsupported(folder, f"it needs the module {other}")
    layers = kinds.count("Dense")
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in (
        ["Dense"] * layers,
        [*["Dense"] * layers, "Normalize"],
    ):
        raise unsupported(folder, f"its modules are {', '.join(kinds) or 'none'}")
    if modules[0].path:
        raise unsupported(folder, f"its network is in the subfolder {modules[0].path}")
    if kinds[-1] == "Normalize":
        check_normalize(folder, modules[-1])
    pooling, pooled = read_pooling(folder, subfolder(folder, modules[1].path) / CONFIG, width)
    linear, mounts = read_layers(folder, modules[2 : 2 + layers], width)
    return Behind(Heads(dense=DenseHead(pooling, linear, kinds[-1] == "Normalize")), mounts, pooled)


def read_pooling(folder: Path, path: Path, width: int) -> tuple[Pooling, bool]:
    """The pooling, and whether the prompt's tokens are part of it. Raises `ModelFilesError` for a mode, or several
    joined, that are not supported.
    """
    pooling = read_json(path, _Pooling)
    named = [pooling.pooling_mode] if isinstance(pooling.pooling_mode, str) else pooling.pooling_mode
    flags = [flag for flag, on in read_json(path, dict[str, Any]).items() if flag.startswith("pooling_mode_") and on]
    modes = named or [re.sub("^pooling_mode_|_tokens?$", "", flag) for flag in flags] or ["mean"]
    if len(modes) > 1 or modes[0] not in POOLINGS:
        raise unsupported(folder, f"it pools by {' and '.join(modes)}")
    dimensions = pooling.embedding_dimension or pooling.word_embedding_dimension
    if dimensions not in (None, width):
        raise ModelFilesError(f"{folder}: the pooling is for {dimensions} dimensions, the network has {width}.")
    return POOLINGS[modes[0]], pooling.include_prompt


def read_layers(folder: Path, modules: list[_Module], width: int) -> tuple[tuple[Layer, ...], dict[str, Path]]:
    """The linear layers behind the pooling, and their files by what their tensors are mounted under."""
    layers: list[Layer] = []
    mounts: dict[str, Path] = {}
    for module in modules:
        place = subfolder(folder, module.path)
        told = read_json(place / CONFIG, _Dense)
        act = told.activation_function.rpartition(".")[2]
        if told.module_input_name != "sentence_embedding" or told.module_output_name not in (
            None,
            "sentence_embedding",
        ):
            raise unsupported(folder, "a linear layer of its modules works on something else than the vector")
        if act not in ACTIVATIONS:
            raise unsupported(folder, f"a linear layer of its modules has the activation {act}")
        if told.in_features != (layers[-1].width_out if layers else width):
            raise ModelFilesError(f"{folder}: {module.path} takes {told.in_features} numbers, and is given others.")
        if not (place / WEIGHTS).is_file():
            raise ModelFilesError(f"{place} has no {WEIGHTS}; fetch the model again, or convert its weights.")
        name = f"{module.path}.linear"
        layers.append(Layer(name, told.in_features, told.out_features, told.bias, ACTIVATIONS[act]))
        mounts[module.path] = place / WEIGHTS
    return tuple(layers), mounts


def check_normalize(folder: Path, module: _Module) -> None:
    """Raise `ModelFilesError` for a normalisation of something else than the vector."""
    told = read_optional(subfolder(folder, module.path) / CONFIG, dict[str, Any])
    if told.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise unsupported(folder, "it normalises each token")


def with_further(folder: Path, behind: Behind, width: int) -> Behind:
    """BGE-M3's heads for terms and tokens, where their files lie beside the weights."""
    mounts = dict(behind.mounts)
    for name in (TERMS, TOKENS):
        found = next(
            (folder / (name + end) for end in (".safetensors", ".pt") if (folder / (name + end)).is_file()), None
        )
        if found:
            mounts[name] = found
    heads = behind.heads
    if TERMS in mounts:
        heads = replace(heads, terms=TermHead(Layer(TERMS, width, 1)))
    if TOKENS in mounts:
        heads = replace(heads, tokens=TokenHead(Layer(TOKENS, width, width)))
    return replace(behind, heads=heads, mounts=mounts)


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
    known: Mapping[str, ScoreActivation] = {"Sigmoid": "sigmoid", "Identity": "identity", "Softmax": "softmax"}
    if named and named not in known:
        raise unsupported(folder, f"its scores go through {named}")
    several: ScoreActivation = "sigmoid" if told.problem_type == "multi_label_classification" else "softmax"
    typed = told.type_vocab_size > 1 and tells_apart(folder)
    return ScoreHead(labels, known.get(named) or ("sigmoid" if len(labels) == 1 else several), typed)


def tells_apart(folder: Path) -> bool:
    """Whether the tokenizer says which tokens are a pair's second text, as transformers 5 decides it: by what its file
    lists; without a list, a generic tokenizer does not.
    """
    told = read_optional(folder / "tokenizer_config.json", _Tokenizer)
    if told.model_input_names:
        return "token_type_ids" in told.model_input_names
    return told.tokenizer_class not in ("PreTrainedTokenizerFast", "TokenizersBackend")


def subfolder(folder: Path, path: str) -> Path:
    """A module's folder. Raises `ModelFilesError` for one outside the model's."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ModelFilesError(f"{folder / MODULES} names {path!r}, which is not inside the model's folder.")
    return folder / path


def read_optional(path: Path, kind: type[T]) -> T:
    """A JSON file as `kind`, or `kind()` where there is no such file."""
    return read_json(path, kind) if path.is_file() else kind()


def unsupported(folder: Path, reason: str) -> UnsupportedModel:
    """The error of a model that is whole but needs what Embedway does not do."""
    return UnsupportedModel(f"The model in {folder} is not supported yet: {reason}.")
