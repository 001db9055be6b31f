"""Text to token ids: the tokenizer file, the prompt of the role, the cut at the model's limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from embedway.errors import InvalidInput, ModelFilesError
from embedway.types import Features, Pair, Role, Text, Truncation

CHARACTERS_PER_TOKEN = 16
"""How many characters are read, at first, for each token that the model can take."""
SAFE_MARGIN = 256
"""Characters between the last token that is kept and the end of what was read: no tokenizer looks further ahead."""


class TextReader:
    """Makes features of texts; safe to call from many threads at once.

    Padding and truncation that a tokenizer file may have saved are switched off: the limit is the recipe's.
    """

    def __init__(
        self,
        folder: Path,
        max_tokens: int,
        prompts: Mapping[Role, str],
        lowercase: bool = False,
        truncation: Truncation = "cut",
    ) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelFilesError(f"{folder} has no tokenizer.json: save the tokenizer in its fast form there.")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelFilesError(f"{path} is damaged or not a tokenizer file ({error}).") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._max_tokens = max_tokens
        self._prompts = prompts
        self._lowercase = lowercase
        self._truncation = truncation
        self._room = max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False)

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
        encoding = self._encode(self._prompts.get(item.role, "") + item.text)
        cut = len(encoding) > self._room
        if cut:
            self._check_cut()
            encoding.truncate(self._room)
        ids = np.array(self._tokenizer.post_process(encoding).ids, dtype=np.int32)
        return Features(ids=ids, cost=len(ids), cut=cut, outputs=item.outputs)

    def _read_pair(self, item: Pair) -> Features:
        query, document = self._encode(item.query), self._encode(item.document)
        room = self._max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        cut = len(query) + len(document) > room
        if cut:
            self._check_cut()
            first, second = share(len(query), len(document), room)
            query.truncate(first)
            document.truncate(second)
        both = self._tokenizer.post_process(query, document)
        ids, types = (np.array(part, dtype=np.int32) for part in (both.ids, both.type_ids))
        return Features(ids=ids, cost=len(ids), cut=cut, outputs=item.outputs, types=types)

    def _check_cut(self) -> None:
        if self._truncation == "error":
            raise InvalidInput(f"A text is longer than the {self._max_tokens} tokens that this model reads.")

    def _encode(self, text: str) -> Encoding:
        """Tokenize as much of the text as can matter: a body of megabytes costs no more than the model's limit."""
        text = text.lower() if self._lowercase else text
        read = self._max_tokens * CHARACTERS_PER_TOKEN + SAFE_MARGIN
        while True:
            encoding = self._tokenizer.encode(text[:read], add_special_tokens=False)
            if read >= len(text) or self._settled(encoding, read):
                return encoding
            read *= 4

    def _settled(self, encoding: Encoding, read: int) -> bool:
        """Whether the kept tokens stand so far from where reading stopped that the rest cannot change them."""
        if len(encoding) <= self._room:
            return False
        span = encoding.token_to_chars(self._room)
        return span is not None and span[1] + SAFE_MARGIN <= read


def share(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of two texts are kept in `room`: the longer one is cut first ("longest_first")."""
    shorter, longer = sorted((first, second))
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter = room // 2
        longer = room - shorter
    return (longer, shorter) if first > second else (shorter, longer)
