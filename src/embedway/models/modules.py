"""What stands behind the network in a model folder: the modules of sentence-transformers, or a task's head.

The files are read as version 6.2 of the library reads them. A folder without `modules.json` is a plain encoder: the
library pools it with the mean (a causal one: the last token) and does not normalise; Embedway normalises too, so these
vectors are the library's brought to length 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.card import Card, Network, Sentence
from embedway.models.chat import Render
from embedway.models.families.ops import Pooling
from embedway.models.folder import read_json, subfolder, unsupported
from embedway.models.heads import DenseHead, Heads, Layer, TermHead, TokenHead, VocabularyHead
from embedway.models.late import STANFORD, Late, read_native, read_pylate, read_stanford
from embedway.models.layers import Module, check_normalize, read_layers
from embedway.models.scorer import read_asked, read_question, read_scores
from embedway.models.source import CONFIG, MODULES
from embedway.models.weights import Weights
from embedway.types import ModelSpec, Role

POOLINGS: Mapping[str, Pooling] = {
    "mean": "mean",
    "cls": "cls",
    "max": "max",
    "lasttoken": "last",
    "weightedmean": "weighted",
}
"""The library's names of the poolings that are known here."""

TERMS, TOKENS = "sparse_linear", "colbert_linear"
"""BGE-M3's further heads, files beside the weights."""
LAYERS = ("Dense", "LayerNorm")
DECODERS = ("gemma3_text", "llama", "mistral", "qwen2", "qwen3")
PYLATE = {"pylate.models.Dense.Dense": "sentence_transformers.base.modules.dense.Dense"}
"""The one class that PyLate's folders name as its own, and what the library takes for it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The heads, and `mounts`: the files with their tensors, by what stands before their names. `late` and `render` say
    how texts are read where that is not the plain way; `prompts` go before those of the card.
    """

    heads: Heads
    mounts: Mapping[str, Path] = field(default_factory=dict)
    prompt_pooled: bool = True
    late: Late | None = None
    render: Render | None = None
    prompts: Mapping[Role, str] | None = None


class _Splade(msgspec.Struct):
    """`1_SpladePooling/config.json`."""

    pooling_strategy: str = "max"
    activation_function: str = "relu"


class _Pooling(msgspec.Struct):
    """`1_Pooling/config.json`: the mode by name, or by flags in older versions; none of them means the mean."""

    pooling_mode: str | list[str] | None = None
    embedding_dimension: int | None = None
    word_embedding_dimension: int | None = None
    include_prompt: bool = True


def read_behind(folder: Path, network: Network, card: Card, sentence: Sentence, spec: ModelSpec) -> Behind:
    """What the folder has behind its network. Raises `ModelFilesError` for what is not supported."""
    if network.architecture == STANFORD:
        return read_colbert_weights(folder, network)
    if network.architecture.endswith("ForSequenceClassification"):
        return Behind(Heads(scores=read_scores(folder, card.activation_fn)))
    if (folder / MODULES).is_file():
        return with_further(folder, read_modules(folder, network, card, sentence), network.width)
    if read_asked(network, spec):
        heads, render = read_question(folder, network)
        return Behind(heads, render=render)
    last = network.architecture.endswith("ForCausalLM") and network.causal
    return with_further(folder, Behind(Heads(dense=DenseHead("last" if last else "mean"))), network.width)


def read_modules(folder: Path, network: Network, card: Card, sentence: Sentence) -> Behind:
    """The modules after the network."""
    modules = read_json(folder / MODULES, list[Module])
    for module in modules:
        module.type = PYLATE.get(module.type, module.type)
        if not module.type.startswith("sentence_transformers."):
            raise unsupported(folder, f"it brings code of its own ({module.type})")
    if not modules or modules[0].kind not in ("Transformer", "MLMTransformer"):
        raise unsupported(folder, f"its modules are {', '.join(module.kind for module in modules) or 'none'}")
    if modules[0].path:
        raise unsupported(folder, f"its network is in the subfolder {modules[0].path}")
    if sentence.template is not None and card.model_type != "CrossEncoder":
        raise unsupported(folder, "it puts texts into a chat template")
    if card.model_type in ("MultiVectorEncoder", "ColBERT"):
        return read_late(folder, modules[1:], network, card, sentence)
    if sentence.query_length or sentence.document_length or sentence.query_expansion:
        raise unsupported(folder, "it cuts queries and documents at lengths of their own")
    kinds = [module.kind for module in modules[1:]]
    if kinds == ["SpladePooling"]:
        return read_splade(folder, modules[1])
    if kinds == ["LogitScore"] and card.model_type == "CrossEncoder":
        heads, render = read_question(folder, network, subfolder(folder, modules[1].path) / CONFIG, card, sentence)
        return Behind(heads, render=render)
    if card.model_type == "SparseEncoder":
        raise unsupported(folder, f"it is a SparseEncoder of {', '.join(kinds)}")
    if sentence.transformer_task not in (None, "feature-extraction"):
        raise unsupported(folder, f"its network is run for {sentence.transformer_task}")
    return read_pooled(folder, modules[1:], network.width)


def read_pooled(folder: Path, modules: Sequence[Module], width: int) -> Behind:
    """A pooling, perhaps layers, perhaps a normalisation."""
    known = ("Pooling", "Normalize", *LAYERS)
    kinds = [module.kind for module in modules]
    if other := next((kind for kind in kinds if kind not in known), None):
        raise unsupported(folder, f"it needs the module {other}")
    normalized = kinds[-1:] == ["Normalize"]
    layers = modules[1 : len(modules) - normalized]
    if kinds[:1] != ["Pooling"] or any(layer.kind not in LAYERS for layer in layers):
        raise unsupported(folder, f"its modules are Transformer, {', '.join(kinds)}")
    if normalized:
        check_normalize(folder, modules[-1], "sentence_embedding")
    pooling, pooled = read_pooling(folder, subfolder(folder, modules[0].path) / CONFIG, width)
    linear, mounts = read_layers(folder, layers, width, "sentence_embedding")
    return Behind(Heads(dense=DenseHead(pooling, linear, normalized)), mounts, pooled)


def read_late(folder: Path, modules: Sequence[Module], network: Network, card: Card, sentence: Sentence) -> Behind:
    """Linear layers on every token, then in any order a mask and a normalisation, which PyLate leaves unsaid."""
    count = next((place for place, module in enumerate(modules) if module.kind not in LAYERS), len(modules))
    behind = {module.kind: module for module in modules[count:]}
    if len(behind) != len(modules) - count or not set(behind) <= {"MultiVectorMask", "Normalize"}:
        raise unsupported(folder, f"its modules are Transformer, {', '.join(module.kind for module in modules)}")
    if "Normalize" in behind:
        check_normalize(folder, behind["Normalize"], "token_embeddings")
    mask = behind.get("MultiVectorMask")
    if card.model_type == "ColBERT":
        late = read_pylate(card)
    else:
        late = read_native(sentence, subfolder(folder, mask.path) / CONFIG if mask else None)
    check_seen(folder, late, network)
    layers, mounts = read_layers(folder, modules[:count], network.width, "token_embeddings")
    normalized = card.model_type == "ColBERT" or "Normalize" in behind
    return Behind(Heads(tokens=TokenHead(layers, normalized=normalized)), mounts, late=late)


def read_colbert_weights(folder: Path, network: Network) -> Behind:
    """The Stanford authors' form: the projection lies among the network's own tensors."""
    late, prompts = read_stanford(folder)
    check_seen(folder, late, network)
    weights = Weights(sorted(folder.glob("*.safetensors")))
    width = weights.stored("linear.weight").shape[0]
    layer = Layer("linear", network.width, width, bias=False)
    return Behind(Heads(tokens=TokenHead((layer,))), late=late, prompts=prompts)


def check_seen(folder: Path, late: Late, network: Network) -> None:
    """Raise `ModelFilesError` for a decoder whose queries are filled up with what nobody looks at."""
    if network.causal and network.family in DECODERS and late.expansion and not late.expansion.seen:
        raise unsupported(folder, "it fills up queries with tokens that a decoder does not look at")


def read_splade(folder: Path, module: Module) -> Behind:
    """The pooling of a masked language model's logits."""
    told = read_json(subfolder(folder, module.path) / CONFIG, _Splade)
    if told.pooling_strategy not in ("max", "sum") or told.activation_function not in ("relu", "log1p_relu"):
        raise unsupported(folder, f"it pools terms by {told.pooling_strategy} of {told.activation_function}")
    twice = told.activation_function == "log1p_relu"
    return Behind(Heads(vocabulary=VocabularyHead("max" if told.pooling_strategy == "max" else "sum", twice)))


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
        heads = replace(heads, tokens=TokenHead((Layer(TOKENS, width, width),), skipped=1))
    return replace(behind, heads=heads, mounts=mounts)
