"""Late interaction as ColBERT models ask for it: markers before the texts, queries filled up, words left out.

Khattab & Zaharia 2020 (arXiv:2004.12832). Three forms of folder are read: that of sentence-transformers
(`MultiVectorEncoder`), that of PyLate, and that of the Stanford authors, each as version 6.2 of sentence-transformers
reads it.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tokenizers import AddedToken, Encoding, Tokenizer

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.folder import read_json
from embedway.models.tokens import TextReader, read_token
from embedway.types import Features, Item, Role, Text

METADATA = "artifact.metadata"
STANFORD = "HF_ColBERT"
"""What the Stanford authors call their architecture."""
QUERY_TOKENS = 32
"""To which a query is filled up where nothing says otherwise."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """Queries are filled up to `length` tokens with `token`, None for the tokenizer's mask. `seen` says that the
    query's own tokens look at these, `fixed` that longer queries are cut to the same length.
    """

    length: int
    token: str | None = None
    seen: bool = False
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class Late:
    """`lengths` are a role's longest texts in tokens, where the folder names them. Tokens that are one of `words` have
    no vector in texts of the roles `thinned`. `markers` are prompts that the tokenizer must not take apart.
    """

    lengths: Mapping[Role, int] = field(default_factory=dict)
    expansion: Expansion | None = None
    words: tuple[str, ...] = ()
    thinned: tuple[Role, ...] = ("document",)
    markers: tuple[str, ...] = ()


class _Expansion(msgspec.Struct):
    """`query_expansion` of sentence-transformers."""

    strategy: str
    length: int
    attend: bool = False
    token: str | None = None


class Knobs(msgspec.Struct):
    """What `sentence_bert_config.json`, or in PyLate's folders `config_sentence_transformers.json`, says."""

    query_length: int | None = None
    document_length: int | None = None
    query_expansion: _Expansion | msgspec.UnsetType | None = msgspec.UNSET
    do_query_expansion: bool | None = None
    attend_to_expansion_tokens: bool | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None
    skiplist_words: list[str] | None = None

    @property
    def pylate(self) -> bool:
        """Whether the folder is PyLate's own: it says something that only PyLate writes."""
        return any(getattr(self, name) is not None for name in self.__struct_fields__ if name != "query_expansion")


class _Mask(msgspec.Struct):
    """`MultiVectorMask`'s config."""

    skiplist_words: list[str] | None = None
    skiplist_tasks: list[str] | None = None
    keep_only_token_ids: list[int] | None = None


class _Metadata(msgspec.Struct):
    """`artifact.metadata`."""

    query_token_id: str = "[unused0]"  # noqa: S105 -- a token of texts, no password
    doc_token_id: str = "[unused1]"  # noqa: S105
    query_maxlen: int = QUERY_TOKENS
    doc_maxlen: int | None = None
    attend_to_mask_tokens: bool = False
    mask_punctuation: bool = True


class LateReader(TextReader):
    """Reads texts for a network with token vectors."""

    def __init__(self, late: Late, folder: Path, *given: Any) -> None:
        super().__init__(folder, *given)
        self._late = late
        for marker in late.markers:
            keep_whole(self._tokenizer, marker)
        known = (self._tokenizer.token_to_id(word) for word in late.words)
        self._left_out = np.array([number for number in known if number is not None], dtype=np.int32)
        self._filler = find_filler(self._tokenizer, folder, late.expansion) if late.expansion else None

    def read(self, item: Item) -> Features:
        if not isinstance(item, Text):
            raise InvalidInput("This model embeds texts; it scores no pairs.")
        features = super().read(item)
        ids, seen, expansion = features.ids, None, self._late.expansion
        if expansion and item.role == "query" and len(ids) < expansion.length:
            seen = None if expansion.seen else len(ids)
            filling = np.full(expansion.length - len(ids), self._filler, dtype=np.int32)
            ids = np.concatenate([ids, filling])
        kept = np.ones(len(ids), dtype=np.bool_)
        if item.role in self._late.thinned:
            kept = ~np.isin(ids, self._left_out)
        return Features(ids, len(ids), features.cut, item.outputs, seen=seen, kept=kept)

    def _limit(self, item: Text) -> int:
        expansion = self._late.expansion if item.role == "query" else None
        named = self._late.lengths.get(item.role)
        if expansion and expansion.fixed:
            named = expansion.length
        elif expansion and named:
            named = max(named, expansion.length)
        return min(named or self._max_tokens, self._max_tokens)


def read_native(sentence: Knobs, mask: Path | None) -> Late:
    """What a `MultiVectorEncoder` of sentence-transformers says: its network's config, and its mask's."""
    told = read_json(mask, _Mask) if mask else _Mask()
    if told.keep_only_token_ids:
        raise ModelFilesError(f"{mask} keeps the vectors of certain tokens only, which is not supported.")
    tasks = ["document"] if told.skiplist_tasks is None else told.skiplist_tasks
    thinned: tuple[Role, ...] = tuple(role for role in ("query", "document") if role in tasks)
    return Late(lengths(sentence), expansion(sentence), tuple(told.skiplist_words or ()), thinned)


def read_pylate(card: Knobs) -> Late:
    """What PyLate says in `config_sentence_transformers.json`; it leaves out punctuation unless told otherwise."""
    words = string.punctuation if card.skiplist_words is None else card.skiplist_words
    markers = tuple(marker for marker in (card.query_prefix, card.document_prefix) if marker)
    filled = expansion(card)
    if card.query_expansion is msgspec.UNSET and card.do_query_expansion is not False:
        length = card.query_length or QUERY_TOKENS
        filled = Expansion(length, seen=bool(card.attend_to_expansion_tokens))
    return Late(lengths(card), filled, tuple(words), markers=markers)


def read_stanford(folder: Path) -> tuple[Late, Mapping[Role, str]]:
    """What the Stanford authors' folder says in `artifact.metadata`, and the prompts that are its markers."""
    path = folder / METADATA
    told = read_json(path, _Metadata) if path.is_file() else _Metadata()
    prompts: Mapping[Role, str] = {"query": f"{told.query_token_id} ", "document": f"{told.doc_token_id} "}
    limits: Mapping[Role, int] = {"document": told.doc_maxlen} if told.doc_maxlen else {}
    words = tuple(string.punctuation) if told.mask_punctuation else ()
    filled = Expansion(told.query_maxlen, seen=told.attend_to_mask_tokens)
    return Late(limits, filled, words, markers=tuple(prompts.values())), prompts


def lengths(knobs: Knobs) -> Mapping[Role, int]:
    """Those that are named."""
    named: Mapping[Role, int | None] = {"query": knobs.query_length, "document": knobs.document_length}
    return {role: length for role, length in named.items() if length}


def expansion(knobs: Knobs) -> Expansion | None:
    """That of sentence-transformers. Raises `ModelFilesError` for a strategy that is not known."""
    told = knobs.query_expansion
    if told is None or isinstance(told, msgspec.UnsetType):
        return None
    if told.strategy not in ("fixed", "min") or told.length < 1:
        raise ModelFilesError(f"The query expansion '{told.strategy}' to {told.length} tokens is not supported.")
    return Expansion(told.length, told.token, told.attend, told.strategy == "fixed")


def find_filler(tokenizer: Tokenizer, folder: Path, how: Expansion) -> int:
    """The id of the token that queries are filled up with: named, or the mask, or the text's end."""
    path = folder / "tokenizer_config.json"
    told = read_json(path, dict[str, Any]) if path.is_file() else {}
    masks = [read_token(told.get("mask_token")), "[MASK]", "<mask>", read_token(told.get("eos_token"))]
    named = [how.token] if how.token else masks
    found = next((number for one in named if one and (number := tokenizer.token_to_id(one)) is not None), None)
    if found is None:
        raise ModelFilesError(f"{folder}: the tokenizer does not know the token that queries are filled up with.")
    return found


def keep_whole(tokenizer: Tokenizer, marker: str) -> None:
    """Let the tokenizer take a marker that it knows as one token, however it would split it as text."""
    known = tokenizer.get_vocab(with_added_tokens=True)
    for token in (marker, *marker.split(None, 1)[:1]):
        if token in known:
            encoded: Encoding = tokenizer.encode(token, add_special_tokens=False)
            if encoded.ids != [known[token]]:
                tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True)])
            return
