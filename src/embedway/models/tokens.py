"""Text to token ids: the tokenizer file, the prompt of the role, the cut at the model's limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from embedway.errors import InvalidInput, ModelFilesError
from embedway.types import Features, Role, Text, Truncation

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

    def read(self, item: Text) -> Features:
        """Tokens of one text with its role's prompt. Raises `InvalidInput` for a text too long when truncation is
        `error`.
        """
        text = self._prompts.get(item.role, "") + item.text
        encoding = self._encode(text.lower() if self._lowercase else text)
        cut = len(encoding) > self._room
        if cut and self._truncation == "error":
            raise InvalidInput(f"A text is longer than the {self._max_tokens} tokens that this model reads.")
        if cut:
            encoding.truncate(self._room)
        ids = np.array(self._tokenizer.post_process(encoding).ids, dtype=np.int32)
        return Features(ids=ids, cost=len(ids), cut=cut, outputs=item.outputs)

    def _encode(self, text: str) -> Encoding:
        """Tokenize as much of the text as can matter: a body of megabytes costs no more than the model's limit."""
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
