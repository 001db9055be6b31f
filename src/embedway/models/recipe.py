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
from embedway.models.card import Card, Network, Sentence, read_card, read_sentence
from embedway.models.chat import Render
from embedway.models.folder import read_json, read_optional, unsupported
from embedway.models.heads import Heads
from embedway.models.late import Late
from embedway.models.modules import read_behind
from embedway.models.prompts import Prompts, choose_prompts
from embedway.models.source import CONFIG, MODULES, ModelFiles
from embedway.types import ModelSpec

OFFSET_POSITIONS = frozenset({"camembert", "data2vec-text", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl"})
"""Families that count positions from the padding token's id + 1, so the position embeddings before it are of no use."""

SCORERS = ("ForSequenceClassification", "ForCausalLM")
"""Networks that a CrossEncoder can stand on, by the ends of their names."""

NO_LIMIT = 10**7
"""A tokenizer without a limit says 10^30; from here on a number is taken for that."""

COSMETIC = frozenset({"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"})
"""Keys of `config.json` that no vector depends on."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model makes vectors and scores.

    `family` is the architecture (`model_type`), `config` the whole `config.json`. `heads` is what comes behind the
    network, `mounts` the files with its tensors. `dimensions` is the dense vector's length, 0 where there is none.
    `max_tokens` counts special and prompt tokens too. `late` and `render` say how texts and pairs are read where that
    is not the plain way. `lowercase` asks for lower case before the tokenizer's own normaliser. `matryoshka` are the
    lengths the model was trained to be cut to, ascending, native last, or empty. `digest` (SHA-256) changes when the
    vectors can.
    """

    family: str
    config: Mapping[str, Any]
    heads: Heads
    mounts: Mapping[str, Path]
    max_tokens: int
    dimensions: int
    matryoshka: tuple[int, ...]
    prompts: Prompts
    lowercase: bool
    digest: str
    late: Late | None = None
    render: Render | None = None


class _Config(msgspec.Struct):
    """What is read of `config.json` here; the rest is the family's affair."""

    model_type: str
    architectures: list[str] | None = None
    is_causal: bool | None = None
    use_bidirectional_attention: bool | None = None
    max_position_embeddings: int | None = None
    n_positions: int | None = None
    pad_token_id: int | None = None
    matryoshka_dimensions: list[int] | None = None
    hidden_size: int | None = None
    dim: int | None = None
    d_model: int | None = None
    n_embd: int | None = None


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
    card = read_card(folder) if composed else Card()
    sentence = read_sentence(folder) if composed else Sentence()
    network = read_network(folder, config)
    if card.model_type == "CrossEncoder" and not network.architecture.endswith(SCORERS):
        raise unsupported(folder, f"it is a CrossEncoder on {network.architecture or 'an unnamed network'}")
    behind = read_behind(folder, network, card, sentence, spec)
    prompts = choose_prompts(folder, card, behind.prompts, spec)
    if any(prompts.by_role.values()) and not behind.prompt_pooled:
        raise unsupported(folder, "it leaves its prompt out of the pooling")
    dimensions = count_dimensions(behind.heads, network.width)
    max_tokens = choose_max_tokens(folder, config, sentence, spec)
    said = [repr(behind.heads), repr(behind.late), max_tokens, repr(prompts), sentence.do_lower_case]
    return Recipe(
        family=config.model_type,
        config=MappingProxyType(raw),
        heads=behind.heads,
        mounts=MappingProxyType(dict(behind.mounts)),
        max_tokens=max_tokens,
        dimensions=dimensions,
        matryoshka=read_matryoshka(config, card, dimensions),
        prompts=prompts,
        lowercase=sentence.do_lower_case,
        digest=digest(files, raw, said, behind.mounts),
        late=behind.late,
        render=behind.render,
    )


def read_network(folder: Path, config: _Config) -> Network:
    """What stands before the heads."""
    architecture = next(iter(config.architectures or ()), "")
    causal = config.is_causal is not False and not config.use_bidirectional_attention
    return Network(architecture, config.model_type, causal, read_width(folder, config))


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


def read_matryoshka(config: _Config, card: Card, dimensions: int) -> tuple[int, ...]:
    """The lengths that the model was trained for: those its config lists, and the one that its card cuts to."""
    lengths = {*(config.matryoshka_dimensions or ()), card.truncate_dim or 0}
    shorter = sorted(length for length in lengths if 0 < length < dimensions)
    return (*shorter, dimensions) if shorter else ()


def choose_max_tokens(folder: Path, config: _Config, sentence: Sentence, spec: ModelSpec) -> int:
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
