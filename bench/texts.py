"""The three text sets, as every process of the benchmark reads them (they are made by `bench.drivers.make_texts`).

* `short`: at most 16 tokens. * `mixed`: 5 to 400 tokens. * `long`: 256 to 600 tokens. Counts include the two special
tokens and are before truncation; `tokens` below is after truncation at 256. Texts are in blocks of 32 with nearly the
same spread of lengths in each, so that a slow rival that gets through fewer texts is given the same mixture.

Every text that is sent begins with three words taken from a running number: no text is sent twice in a run, so a cache
of vectors cannot answer. Each of these words is exactly one token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from bench.model import MAX_TOKENS
from bench.paths import TEXTS

SALT_WORDS = 3
BLOCK = 32
NAMES = ("short", "mixed", "long")


@dataclass(frozen=True)
class TextSet:
    """One set: the texts without salt, and the tokens of each with it (special tokens included, after truncation)."""

    name: str
    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    words: tuple[str, ...]

    def take(self, start: int, count: int, serial: int) -> tuple[list[str], list[int]]:
        """`count` texts from place `start` on (wrapping around), salted with `serial` and on; their tokens."""
        places = [(start + i) % len(self.texts) for i in range(count)]
        salted = [f"{self.salt(serial + i)} {self.texts[place]}" for i, place in enumerate(places)]
        return salted, [self.tokens[place] for place in places]

    def salt(self, serial: int) -> str:
        """Three one-token words that stand for this number (distinct for all numbers below `len(words) ** 3`)."""
        base = len(self.words)
        chosen = []
        for _ in range(SALT_WORDS):
            serial, digit = divmod(serial, base)
            chosen.append(self.words[digit])
        return " ".join(chosen)


@cache
def load(name: str) -> TextSet:
    """Read one set."""
    document = json.loads(TEXTS.read_text())
    rows = document["sets"][name]
    return TextSet(
        name=name,
        texts=tuple(row["text"] for row in rows),
        tokens=tuple(min(row["tokens"], MAX_TOKENS) for row in rows),
        words=tuple(document["words"]),
    )


def digest() -> str:
    """Identifies the texts: figures of two machines compare only where this is equal."""
    return str(json.loads(TEXTS.read_text())["digest"])
