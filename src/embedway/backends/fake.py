"""A backend without weights: for tests, and for trying a client or a deployment without a model.

A source `fake` or `fake:DIMENSIONS` opens it. Vectors are a digest of the text, of length 1; equal texts get equal
vectors. Texts that begin with a command let a test see how the server behaves: `!fail` raises, `!nan` answers NaN,
`!die` ends the thread, `!hang` never returns, `!sleep:SECONDS` takes that long.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np

from embedway.errors import InvalidInput, SettingsError
from embedway.models.tokens import byte_places
from embedway.types import Facts, Features, Item, ModelSpec, Output, Outputs, Text, Token, Vector

MAX_TOKENS = 512
DIMENSIONS = 8


class FakeBackend:
    """Counts a token for every character that is not a space."""

    def __init__(self, spec: ModelSpec) -> None:
        dimensions = spec.source.partition(":")[2] or str(DIMENSIONS)
        if not dimensions.isdecimal() or not 1 <= int(dimensions) <= 8192:
            raise SettingsError(f"The source '{spec.source}' should read fake or fake:DIMENSIONS, such as fake:384.")
        self._truncation = spec.truncation
        self.facts = Facts(
            backend="fake",
            dtype="fp32",
            dimensions=int(dimensions),
            max_tokens=spec.max_tokens or MAX_TOKENS,
            outputs=Output.DENSE,
            revision="fake",
            matryoshka=spec.matryoshka,
        )

    def prepare(self, item: Item) -> Features:
        if not isinstance(item, Text):
            raise InvalidInput("This model embeds texts; it reads no pairs and no images.")
        characters = [ord(character) for character in item.text if not character.isspace()] or [0]
        if len(characters) > self.facts.max_tokens and self._truncation == "error":
            raise InvalidInput(f"A text is longer than the {self.facts.max_tokens} tokens that this model reads.")
        ids = np.array(characters[: self.facts.max_tokens], dtype=np.int32)
        return Features(ids=ids, cost=len(ids), cut=len(characters) > len(ids), outputs=item.outputs)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        return [Outputs(dense=self._answer("".join(map(chr, features.ids)))) for features in batch]

    @property
    def vocabulary(self) -> FakeVocabulary:
        return FakeVocabulary()

    def close(self) -> None:
        pass

    def _answer(self, text: str) -> Vector:
        command, _, argument = text.partition(":")
        if command == "!fail":
            raise RuntimeError("told to fail")
        if command == "!die":
            raise SystemExit("told to die")
        if command == "!hang":
            threading.Event().wait()
        if command == "!sleep":
            time.sleep(float(argument))
        if command == "!nan":
            return np.full(self.facts.dimensions, np.nan, dtype=np.float32)
        seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "little")
        vector = np.random.default_rng(seed).standard_normal(self.facts.dimensions)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeVocabulary:
    """A token is a character that is not a space; there are no special ones."""

    def tokenize(self, item: Text, special: bool = True) -> Sequence[Token]:
        places = byte_places(item.text)
        return [
            Token(ord(character), character, False, places[index], places[index + 1])
            for index, character in enumerate(item.text)
            if not character.isspace()
        ]

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        return "".join(self.spell(ids))

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        if wrong := next((number for number in ids if not 0 <= number < sys.maxunicode), None):
            raise InvalidInput(f"{wrong} is the id of no token.")
        return [chr(number) for number in ids]
