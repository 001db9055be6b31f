"""What a model folder says of itself: how tokens become a vector, how many fit, which prompts belong before a text.

The files are those of sentence-transformers, read as its version 6.2 reads them. A folder without `modules.json` is a
plain encoder: the library pools it with the mean (a causal one: the last token) and does not normalise; Embedway
normalises too, so these vectors are the library's brought to length 1.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.bundled import file_sha256, weights_fingerprint
from embedway.models.source import CONFIG, MODULES, ModelFiles, T, read_json
from embedway.types import ModelSpec, Role

Pooling = Literal["mean", "cls", "max", "last"]

POOLINGS: Mapping[str, Pooling] = {"mean": "mean", "cls": "cls", "max": "max", "lasttoken": "last"}
"""The library's names of the poolings that are known here."""

PROMPTS: Mapping[Role, Sequence[str]] = {"query": ("query", "s2p_query"), "document": ("document", "passage", "corpus")}
"""The names under which models keep the prompt of a role; the first that is there is taken."""

OFFSET_POSITIONS = frozenset({"camembert", "data2vec-text", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"})
"""Families that count positions from the padding token's id + 1, so the position embeddings before it are of no use."""

NO_LIMIT = 10**7
"""A tokenizer without a limit says 10^30; from here on a number is taken for that."""

COSMETIC = frozenset({"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"})
"""Keys of `config.json` that no vector depends on."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model makes a vector.

    `family` is the architecture (`model_type`), `config` the whole `config.json`. `normalized` says that the model
    brings its vectors to length 1. `max_tokens` counts special and prompt tokens too. `prompts` has both roles, "" for
    none. `lowercase` asks for lower case before the tokenizer's own normaliser. `matryoshka` are the lengths the model
    was trained to be cut to, ascending, native last, or empty. `digest` (SHA-256) changes when the vectors can.
    """

    family: str
    config: Mapping[str, Any]
    pooling: Pooling
    normalized: bool
    max_tokens: int
    dimensions: int
    matryoshka: tuple[int, ...]
    prompts: Mapping[Role, str]
    lowercase: bool
    digest: str


class _Config(msgspec.Struct):
    """What is read of `config.json` here; the rest is the family's affair."""

    model_type: str
    architectures: list[str] | None = None
    is_causal: bool | None = None
    max_position_embeddings: int | None = None
    pad_token_id: int | None = None
    matryoshka_dimensions: list[int] | None = None
    hidden_size: int | None = None
    dim: int | None = None
    d_model: int | None = None
    n_embd: int | None = None


class _Module(msgspec.Struct):
    type: str
    path: str = ""


class _Sentence(msgspec.Struct):
    """`sentence_bert_config.json`; newer versions leave the length to the tokenizer's own file."""

    max_seq_length: int | None = None
    do_lower_case: bool = False
    transformer_task: str = "feature-extraction"
    query_length: int | None = None
    document_length: int | None = None


class _Card(msgspec.Struct):
    """`config_sentence_transformers.json`."""

    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    truncate_dim: int | None = None
    model_type: str = "SentenceTransformer"


class _Pooling(msgspec.Struct):
    """`1_Pooling/config.json`: the mode by name, or by flags in older versions; none of them means the mean."""

    pooling_mode: str | list[str] | None = None
    embedding_dimension: int | None = None
    word_embedding_dimension: int | None = None
    include_prompt: bool = True


class _Tokenizer(msgspec.Struct):
    model_max_length: int | float | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """What the modules after the network make of its tokens."""

    pooling: Pooling
    normalized: bool
    dimensions: int | None = None
    prompt_pooled: bool = True


def read_recipe(files: ModelFiles, spec: ModelSpec) -> Recipe:
    """Read what the folder says; `spec.max_tokens` goes before the folder's own limit.

    Raises `ModelFilesError`: a file is damaged, the model needs what is not supported, or the limit does not fit.
    """
    folder = files.folder
    config = read_json(folder / CONFIG, _Config)
    raw = read_json(folder / CONFIG, dict[str, Any])
    composed = (folder / MODULES).is_file()
    card = read_card(folder) if composed else _Card()
    sentence = read_sentence(folder) if composed else _Sentence()
    head = read_head(folder) if composed else plain_head(folder, config)
    prompts = choose_prompts(folder, card)
    if any(prompts.values()) and not head.prompt_pooled:
        raise unsupported(folder, "it leaves its prompt out of the pooling")
    dimensions = read_dimensions(folder, config, head)
    max_tokens = choose_max_tokens(folder, config, sentence, spec)
    return Recipe(
        family=config.model_type,
        config=MappingProxyType(raw),
        pooling=head.pooling,
        normalized=head.normalized,
        max_tokens=max_tokens,
        dimensions=dimensions,
        matryoshka=read_matryoshka(config, card, dimensions),
        prompts=MappingProxyType(prompts),
        lowercase=sentence.do_lower_case,
        digest=digest(files, raw, [head.pooling, head.normalized, max_tokens, prompts, sentence.do_lower_case]),
    )


def read_card(folder: Path) -> _Card:
    """What the model says of its use. Raises `ModelFilesError` for another kind of model than an embedder."""
    card = read_optional(folder / "config_sentence_transformers.json", _Card)
    if card.model_type != "SentenceTransformer":
        raise unsupported(folder, f"it is a {card.model_type}")
    return card


def read_sentence(folder: Path) -> _Sentence:
    """How texts go into the network. Raises `ModelFilesError` for what is not supported."""
    named = sorted(folder.glob("sentence_*_config.json"))  # in the middle stands the network: bert, roberta, ...
    sentence = read_json(named[0], _Sentence) if named else _Sentence()
    if sentence.transformer_task != "feature-extraction":
        raise unsupported(folder, f"its network is run for {sentence.transformer_task}")
    if sentence.query_length is not None or sentence.document_length is not None:
        raise unsupported(folder, "it cuts queries and documents at lengths of their own")
    return sentence


def read_head(folder: Path) -> _Head:
    """The modules after the network: a pooling, and perhaps a normalisation. Raises `ModelFilesError` for others."""
    modules = read_json(folder / MODULES, list[_Module])
    kinds = [module.type.rpartition(".")[2] for module in modules]
    for module, kind in zip(modules, kinds, strict=True):
        if not module.type.startswith("sentence_transformers."):
            raise unsupported(folder, f"it brings code of its own ({module.type})")
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise unsupported(folder, f"it needs the module {kind}")
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise unsupported(folder, f"its modules are {', '.join(kinds) or 'none'}")
    if modules[0].path:
        raise unsupported(folder, f"its network is in the subfolder {modules[0].path}")
    for module in modules[2:]:
        normalize = read_optional(subfolder(folder, module.path) / CONFIG, dict[str, Any])
        if normalize.get("module_input_name", "sentence_embedding") != "sentence_embedding":
            raise unsupported(folder, "it normalises each token")
    return read_pooling(folder, subfolder(folder, modules[1].path) / CONFIG, normalized=len(modules) > 2)


def read_pooling(folder: Path, path: Path, *, normalized: bool) -> _Head:
    """The pooling's own file. Raises `ModelFilesError` for a mode, or several joined, that are not supported."""
    pooling = read_json(path, _Pooling)
    named = [pooling.pooling_mode] if isinstance(pooling.pooling_mode, str) else pooling.pooling_mode
    flags = [flag for flag, on in read_json(path, dict[str, Any]).items() if flag.startswith("pooling_mode_") and on]
    modes = named or [re.sub("^pooling_mode_|_tokens?$", "", flag) for flag in flags] or ["mean"]
    if len(modes) > 1 or modes[0] not in POOLINGS:
        raise unsupported(folder, f"it pools by {' and '.join(modes)}")
    dimensions = pooling.embedding_dimension or pooling.word_embedding_dimension
    return _Head(POOLINGS[modes[0]], normalized, dimensions, pooling.include_prompt)


def plain_head(folder: Path, config: _Config) -> _Head:
    """What stands in for the modules of a plain encoder; the first lines of this file say why."""
    architecture = next(iter(config.architectures or ()), "")
    if architecture.endswith("ForSequenceClassification"):
        raise unsupported(folder, f"it is a classifier or a reranker ({architecture})")
    causal = architecture.endswith("ForCausalLM") and config.is_causal is not False
    return _Head("last" if causal else "mean", normalized=True)


def read_dimensions(folder: Path, config: _Config, head: _Head) -> int:
    """Length of the vectors: the width of the network, which the pooling's file, if there is one, must agree with."""
    width = config.hidden_size or config.dim or config.d_model or config.n_embd or head.dimensions
    if width is None or width < 1:
        raise ModelFilesError(f"{folder / CONFIG} does not say how wide the network is (hidden_size).")
    if head.dimensions not in (None, width):
        raise ModelFilesError(f"{folder}: the pooling is for {head.dimensions} dimensions, the network has {width}.")
    return width


def read_matryoshka(config: _Config, card: _Card, dimensions: int) -> tuple[int, ...]:
    """The lengths that the model was trained for: those its config lists, and the one that its card cuts to."""
    lengths = {*(config.matryoshka_dimensions or ()), card.truncate_dim or 0}
    shorter = sorted(length for length in lengths if 0 < length < dimensions)
    return (*shorter, dimensions) if shorter else ()


def choose_prompts(folder: Path, card: _Card) -> dict[Role, str]:
    """Each role's prompt: under its own names, else the default one, else none.

    The library fills in an empty "document" and so never reaches "passage"; the cards of models mean that one too.
    """
    prompts = card.prompts or {}
    default = card.default_prompt_name
    if default is not None and default not in (*prompts, "query", "document"):
        raise ModelFilesError(f"{folder}: default_prompt_name is {default!r}, but there is no prompt of that name.")
    return {
        role: next((prompts[name] for name in names if name in prompts), prompts.get(default or "")) or ""
        for role, names in PROMPTS.items()
    }


def choose_max_tokens(folder: Path, config: _Config, sentence: _Sentence, spec: ModelSpec) -> int:
    """The longest text in tokens: what the spec asks for, else what the folder says, never more than positions."""
    positions = count_positions(config)
    if (asked := spec.max_tokens) is not None:
        if asked < 1 or (positions and asked > positions):
            limit = f"between 1 and {positions}, the positions that it has" if positions else "at least 1"
            raise ModelFilesError(f"max_tokens = {asked} of the model {spec.name!r} must be {limit}.")
        return asked
    own = sentence.max_seq_length or read_optional(folder / "tokenizer_config.json", _Tokenizer).model_max_length
    limits = [int(limit) for limit in (own, positions) if limit and 0 < limit < NO_LIMIT]
    if not limits:
        raise ModelFilesError(f"{folder} does not say how long a text may be; set max_tokens for {spec.name!r}.")
    return min(limits)


def count_positions(config: _Config) -> int | None:
    """How many tokens have a position of their own, or None where that sets no limit."""
    positions = config.max_position_embeddings or 0
    if config.model_type in OFFSET_POSITIONS:
        positions -= 2 if config.pad_token_id is None else config.pad_token_id + 1
    return positions if positions > 0 else None


def digest(files: ModelFiles, config: Mapping[str, Any], rest: Sequence[object]) -> str:
    """SHA-256 over what decides the vectors, the same for the same files wherever they lie."""
    tokenizer = files.folder / "tokenizer.json"
    parts = [
        {key: value for key, value in config.items() if key not in COSMETIC},
        rest,
        file_sha256(tokenizer) if tokenizer.is_file() else None,
        [weights_fingerprint(path) for path in files.weights()],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def subfolder(folder: Path, path: str) -> Path:
    """A module's folder. Raises `ModelFilesError` for one outside the model's."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ModelFilesError(f"{folder / MODULES} names {path!r}, which is not inside the model's folder.")
    return folder / path


def read_optional(path: Path, kind: type[T]) -> T:
    """A JSON file as `kind`, or `kind()` where there is no such file."""
    return read_json(path, kind) if path.is_file() else kind()


def unsupported(folder: Path, reason: str) -> ModelFilesError:
    """The error of a model that is whole but needs what Embedway does not do."""
    return ModelFilesError(f"The model in {folder} is not supported yet: {reason}.")
