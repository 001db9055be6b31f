"""What a model folder says of itself: what comes behind the network, how many tokens fit, which prompts belong before
a text. The files are those of sentence-transformers, read as its version 6.2 reads them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.bundled import file_sha256, weights_fingerprint
from embedway.models.heads import Heads
from embedway.models.modules import read_behind, read_optional, unsupported
from embedway.models.source import CONFIG, MODULES, ModelFiles, read_json
from embedway.types import ModelSpec, Role

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
    """How a model makes vectors and scores.

    `family` is the architecture (`model_type`), `config` the whole `config.json`. `heads` is what comes behind the
    network, `mounts` the files with its tensors. `dimensions` is the dense vector's length, 0 where there is none.
    `max_tokens` counts special and prompt tokens too. `prompts` has both roles, "" for
    none. `lowercase` asks for lower case before the tokenizer's own normaliser. `matryoshka` are the lengths the model
    was trained to be cut to, ascending, native last, or empty. `digest` (SHA-256) changes when the vectors can.
    """

    family: str
    config: Mapping[str, Any]
    heads: Heads
    mounts: Mapping[str, Path]
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
    n_positions: int | None = None
    pad_token_id: int | None = None
    matryoshka_dimensions: list[int] | None = None
    hidden_size: int | None = None
    dim: int | None = None
    d_model: int | None = None
    n_embd: int | None = None


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
    activation_fn: str | None = None
    model_type: str = "SentenceTransformer"


class _Tokenizer(msgspec.Struct):
    model_max_length: int | float | None = None


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
    width = read_width(folder, config)
    architecture = next(iter(config.architectures or ()), "")
    if card.model_type == "CrossEncoder" and not architecture.endswith("ForSequenceClassification"):
        raise unsupported(folder, f"it is a CrossEncoder on {architecture or 'an unnamed network'}")
    behind = read_behind(folder, architecture, config.is_causal is not False, width, card.activation_fn)
    prompts = choose_prompts(folder, card)
    if any(prompts.values()) and not behind.prompt_pooled:
        raise unsupported(folder, "it leaves its prompt out of the pooling")
    dimensions = count_dimensions(behind.heads, width)
    max_tokens = choose_max_tokens(folder, config, sentence, spec)
    return Recipe(
        family=config.model_type,
        config=MappingProxyType(raw),
        heads=behind.heads,
        mounts=MappingProxyType(dict(behind.mounts)),
        max_tokens=max_tokens,
        dimensions=dimensions,
        matryoshka=read_matryoshka(config, card, dimensions),
        prompts=MappingProxyType(prompts),
        lowercase=sentence.do_lower_case,
        digest=digest(files, raw, [repr(behind.heads), max_tokens, prompts, sentence.do_lower_case], behind.mounts),
    )


def read_card(folder: Path) -> _Card:
    """What the model says of its use. Raises `ModelFilesError` for a kind of model that is not known."""
    card = read_optional(folder / "config_sentence_transformers.json", _Card)
    if card.model_type not in ("SentenceTransformer", "CrossEncoder"):
        raise unsupported(folder, f"it is a {card.model_type}")
    return card


def read_sentence(folder: Path) -> _Sentence:
    """How texts go into the network. Raises `ModelFilesError` for what is not supported."""
    named = sorted(folder.glob("sentence_*_config.json"))  # in the middle stands the network: bert, roberta, ...
    sentence = read_json(named[0], _Sentence) if named else _Sentence()
    if sentence.transformer_task not in ("feature-extraction", "sequence-classification"):
        raise unsupported(folder, f"its network is run for {sentence.transformer_task}")
    if sentence.query_length is not None or sentence.document_length is not None:
        raise unsupported(folder, "it cuts queries and documents at lengths of their own")
    return sentence


def read_width(folder: Path, config: _Config) -> int:
    """Numbers for each token at the network's end. Raises `ModelFilesError` where the config does not say."""
    width = config.hidden_size or config.dim or config.d_model or config.n_embd
    if width is None or width < 1:
        raise ModelFilesError(f"{folder / CONFIG} does not say how wide the network is (hidden_size).")
    return width


def count_dimensions(heads: Heads, width: int) -> int:
    """Length of the dense vector."""
    if heads.dense is None:
        return 0
    return heads.dense.layers[-1].width_out if heads.dense.layers else width


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
    # NomicBERT says under the first what it was trained for, under the second what it may be used for.
    positions = max(config.max_position_embeddings or 0, config.n_positions or 0)
    if config.model_type in OFFSET_POSITIONS:
        positions -= 2 if config.pad_token_id is None else config.pad_token_id + 1
    return positions if positions > 0 else None


def digest(files: ModelFiles, config: Mapping[str, Any], rest: Sequence[object], mounts: Mapping[str, Path]) -> str:
    """SHA-256 over what decides the vectors, the same for the same files wherever they lie."""
    tokenizer = files.folder / "tokenizer.json"
    parts = [
        {key: value for key, value in config.items() if key not in COSMETIC},
        rest,
        file_sha256(tokenizer) if tokenizer.is_file() else None,
        [weights_fingerprint(path) for path in files.weights()],
        {name: file_sha256(path) for name, path in mounts.items()},
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
