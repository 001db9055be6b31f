"""Text to token ids: the tokenizer file, the prompt of the role, the cut at the model's limit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from embedway.errors import InvalidInput, ModelFilesError
from embedway.types import Features, Pair, Role, Side, Text, Token, Truncation

CHARACTERS_PER_TOKEN = 16
"""How many characters are read, at first, for each token that the model can take."""
INSTRUCTED = re.compile(r"(Instruct: ?).*(\nQuery: ?)", re.DOTALL)
INNER = "##"
"""What WordPiece writes before a piece within a word."""
SAFE_MARGIN = 256
"""Characters between the last token that is kept and the end of what was read: no tokenizer looks further ahead."""


class TextReader:
    """Makes features of texts; safe to call from many threads at once.

    With `once` a text that begins with one of the prompts gets none: its sender has put it there.
    Padding and truncation that a tokenizer file may have saved are switched off: the limit is the recipe's.
    """

    def __init__(
        self,
        folder: Path,
        max_tokens: int,
        prompts: Mapping[Role, str],
        lowercase: bool = False,
        truncation: Truncation = "cut",
        once: bool = False,
        named: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._tokenizer = open_tokenizer(folder)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens
        self._prompts = prompts
        self._lowercase = lowercase
        self._truncation = truncation
        self._once = once
        self._named = named

    @property
    def vocabulary_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def id_of(self, token: str) -> int:
        """The id of a token. Raises `ModelFilesError` for one that the tokenizer does not know."""
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise ModelFilesError(
                f"The tokenizer does not know {token!r}, which its own settings name: fetch it again."
            )
        return int(number)

    @property
    def prompted(self) -> bool:
        """Whether any text gets a prompt."""
        return any(self._prompts.values())

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        """Each token as text, without what the tokenizer marks the edges of words with."""
        spelled = (str(self._tokenizer.decode([number], skip_special_tokens=False)) for number in ids)
        return [text.strip().removeprefix(INNER) for text in spelled]

    def tokenize(self, item: Text, special: bool = True) -> Sequence[Token]:
        """See `backends.base.Vocabulary`."""
        text = self.prompt(item) + item.text
        read = text.lower() if self._lowercase else text
        encoding = self._tokenizer.encode(read, add_special_tokens=special)
        rows = zip(encoding.ids, encoding.tokens, encoding.special_tokens_mask, encoding.offsets, strict=True)
        if len(read) == len(text):
            read = text  # the pieces as they were sent
        places = byte_places(read)
        return [
            Token(number, token, True)
            if marked
            else Token(number, read[start:stop], False, places[start], places[stop])
            for number, token, marked, (start, stop) in rows
        ]

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """See `backends.base.Vocabulary`."""
        check_ids(ids, self.vocabulary_size)
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special))

    def spell_text(self, number: int) -> str:
        """One token as text; nothing for a special one."""
        return str(self._tokenizer.decode([number], skip_special_tokens=True))

    @property
    def special_ids(self) -> Sequence[int]:
        """The tokens that stand for no text: those between and around texts, filling, the unknown."""
        added = self._tokenizer.get_added_tokens_decoder()
        return [number for number, token in added.items() if token.special]

    def read(self, item: Text | Pair) -> Features:
        """Tokens of one text with its role's prompt, or of a pair. Raises `InvalidInput` for one too long when
        truncation is `error`.
        """
        return self._read_pair(item) if isinstance(item, Pair) else self._read_text(item)

    def _read_text(self, item: Text) -> Features:
        limit = self._limit(item)
        room = limit - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        encoding = self._encode(self.prompt(item) + item.text, room, item.side)
        cut = len(encoding) > room
        if cut:
            self._check_cut(limit, item.truncation)
            encoding.truncate(room, direction=item.side)
        ids = np.array(self._tokenizer.post_process(encoding).ids, dtype=np.int32)
        return Features(ids=ids, cost=len(ids), cut=cut, outputs=item.outputs)

    def prompt(self, item: Text) -> str:
        """What is put before this text. Raises `InvalidInput` for a name or an instruction that the model has not."""
        if item.prompt is not None:
            return item.prompt
        if item.instruction is not None:
            return instructed(self._prompts.get("query", ""), item.instruction)
        if item.prompt_name is not None:
            if item.prompt_name not in self._named:
                known = ", ".join(sorted(self._named)) or "none"
                raise InvalidInput(f"The model has no prompt called '{item.prompt_name[:80]}'; it has {known}.")
            return self._named[item.prompt_name]
        if self._once and any(prompt and item.text.startswith(prompt) for prompt in self._prompts.values()):
            return ""
        return self._prompts.get(item.role, "")

    def _limit(self, item: Text) -> int:
        """The most tokens of this text."""
        return self._max_tokens

    def _read_pair(self, item: Pair) -> Features:
        if item.instruction is not None:
            raise InvalidInput("This model scores pairs without an instruction: leave it out.")
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        query, document = self._encode(item.query, room), self._encode(item.document, room)
        cut = len(query) + len(document) > room
        if cut:
            self._check_cut(self._max_tokens)
            first, second = share(len(query), len(document), room)
            query.truncate(first)
            document.truncate(second)
        both = self._tokenizer.post_process(query, document)
        ids, types = (np.array(part, dtype=np.int32) for part in (both.ids, both.type_ids))
        return Features(ids=ids, cost=len(ids), cut=cut, outputs=item.outputs, types=types)

    def _check_cut(self, limit: int, truncation: Truncation | None = None) -> None:
        if (truncation or self._truncation) == "error":
            raise InvalidInput(f"A text is longer than the {limit} tokens that this model reads.")

    def _encode(self, text: str, room: int, side: Side = "right") -> Encoding:
        """Tokenize as much of the text as can matter: a body of megabytes costs no more than the model's limit.

        `side` is where the text will be cut; the other end is read.
        """
        text = text.lower() if self._lowercase else text
        read = self._max_tokens * CHARACTERS_PER_TOKEN + SAFE_MARGIN
        while True:
            part = text[:read] if side == "right" else text[-read:]
            encoding = self._tokenizer.encode(part, add_special_tokens=False)
            if read >= len(text) or _settled(encoding, room, read, side):
                return encoding
            read *= 4


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in `tokenizer.json`. Raises `ModelFilesError` where there is none, or it is damaged."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelFilesError(f"{folder} has no tokenizer.json: save the tokenizer in its fast form there.")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelFilesError(f"{path} is damaged or not a tokenizer file ({error}).") from error


def _settled(encoding: Encoding, room: int, read: int, side: Side) -> bool:
    """Whether the tokens kept in `room` stand so far from where reading stopped that the rest cannot change them."""
    if len(encoding) <= room:
        return False
    span = encoding.token_to_chars(room if side == "right" else len(encoding) - room - 1)
    return span is not None and (span[1] + SAFE_MARGIN <= read if side == "right" else span[0] >= SAFE_MARGIN)


def instructed(prompt: str, instruction: str) -> str:
    """A query's prompt with another instruction, in the form that instructed embedders share (Wang et al. 2023,
    arXiv:2401.00368). Raises `InvalidInput` for a model whose prompt has no place for one.
    """
    found = INSTRUCTED.fullmatch(prompt)
    if found is None:
        raise InvalidInput("This model takes no instruction: leave it out.")
    return f"{found[1]}{instruction}{found[2]}"


def byte_places(text: str) -> Sequence[int]:
    """Where each character begins in the text's UTF-8, and where the text ends."""
    if text.isascii():
        return range(len(text) + 1)
    return list(itertools.accumulate((len(one.encode("utf-8", "surrogatepass")) for one in text), initial=0))


def check_ids(ids: Sequence[int], count: int) -> None:
    """Raise `InvalidInput` for ids that are none of a vocabulary's `count`."""
    wrong = next((number for number in ids if not 0 <= number < count), None)
    if wrong is not None:
        raise InvalidInput(f"{wrong} is the id of no token: the vocabulary has {count:,}.")


def share(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of two texts are kept in `room`: the longer one is cut first ("longest_first")."""
    shorter, longer = sorted((first, second))
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter = room // 2
        longer = room - shorter
    return (longer, shorter) if first > second else (shorter, longer)


def read_token(token: Any) -> str | None:
    """A token as `tokenizer_config.json` names it: its text, or a record with it."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else None
