"""The 500 texts on which vectors are compared: many scripts, many oddities, 2 to some 600 tokens.

All are written for this project or generated from such parts by fixed arithmetic, so every run on every
platform gives the same list; `digest` proves it. Lengths are spread on purpose: the bundled model cuts at
256 tokens, its tokenizer file says 128, and its position table ends at 512, so texts stand on either side of
each of these limits. No text is empty; a few are empty once cleaned (white space, control characters).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from . import oddities, sentences


class Sample(NamedTuple):
    """One text and a name for messages, such as `emoji/3`: its group and its place there."""

    name: str
    text: str


class _Draw:
    """Draws that are the same everywhere: Knuth's 64-bit linear congruential generator (MMIX), high bits."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        """Return the next number in [0, limit)."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % limit

    def one(self, choices: Sequence[str]) -> str:
        """Return one of the choices."""
        return choices[self.below(len(choices))]


def _grow(parts: Sequence[str], start: int, characters: int, joiner: str) -> str:
    """Repeat the parts in a circle from `start` until the text has at least so many characters."""
    text = parts[start % len(parts)]
    place = start
    while len(text) < characters:
        place += 1
        text += joiner + parts[place % len(parts)]
    return text


def _paragraphs() -> list[str]:
    """Two longer texts per language, of 100 to 550 characters: some 20 to 600 tokens, depending on the script."""
    grown = []
    for number, (language, parts) in enumerate(sentences.SENTENCES.items()):
        joiner = "" if language in sentences.UNSPACED else " "
        grown.append(_grow(parts, number, 100 + 4 * number, joiner))
        grown.append(_grow(parts, number + 3, 180 + 11 * number, joiner))
    return grown


def _prose(count: int) -> list[str]:
    """English prose of 1 to 29 sentences of some 18 tokens each, so the longest exceed 512 tokens."""
    draw = _Draw(seed=20_240_229)
    columns = (
        sentences.OPENINGS,
        sentences.ACTORS,
        sentences.ACTIONS,
        sentences.OBJECTS,
        sentences.ENDINGS,
    )
    return [
        " ".join(" ".join(draw.one(column) for column in columns) for _ in range(length))
        for length in (1 + number * 29 // count for number in range(count))
    ]


def _limits() -> list[str]:
    """Texts of exactly so many tokens ([CLS] and [SEP] included) around 128, 256 and 512, and up to 600."""
    words = ("river", "stone", "light", "paper", "green", "seven", "house")  # each is one token
    totals = (
        3, 4, 5, 8, 17, 33, 64,
        126, 127, 128, 129, 130,
        254, 255, 256, 257, 258,
        384, 510, 511, 512, 513, 514,
        600,
    )  # fmt: skip
    return [" ".join(words[(place * place + total) % len(words)] for place in range(total - 2)) for total in totals]


def _scrambled(count: int) -> list[str]:
    """Draw words of random letters from one script after another: no meaning, many rare tokens."""
    blocks = (
        (0x0061, 0x007A),  # Latin
        (0x00E0, 0x00F6),  # Latin with accents
        (0x0430, 0x044F),  # Cyrillic
        (0x03B1, 0x03C9),  # Greek
        (0x05D0, 0x05EA),  # Hebrew
        (0x0627, 0x063A),  # Arabic
        (0x0905, 0x0939),  # Devanagari
        (0x3041, 0x3096),  # Hiragana
        (0x4E00, 0x9FA5),  # Han
        (0xAC00, 0xD7A3),  # Hangul
    )
    draw = _Draw(seed=7)
    texts = []
    for number in range(count):
        words = []
        for place in range(4 + 3 * number):
            first, last = blocks[(number + place // 3) % len(blocks)]
            letters = 1 + draw.below(6)
            words.append("".join(chr(first + draw.below(last - first + 1)) for _ in range(letters)))
        texts.append(" ".join(words))
    return texts


@cache
def samples() -> tuple[Sample, ...]:
    """Return the 500 samples, always the same and in the same order."""
    groups: dict[str, Sequence[str]] = {
        **{f"sentence {language}": parts for language, parts in sentences.SENTENCES.items()},
        "paragraph": _paragraphs(),
        "prose": _prose(32),
        "limit": _limits(),
        "word": oddities.WORDS,
        "emoji": oddities.EMOJI,
        "code": oddities.CODE,
        "number": oddities.NUMBERS,
        "punctuation": oddities.PUNCTUATION,
        "white space": oddities.WHITESPACE,
        "accent": oddities.ACCENTS,
        "case": oddities.CASE,
        "long word": oddities.LONG_WORDS,
        "control": oddities.CONTROL,
        "special token": oddities.SPECIAL,
        "mixed": oddities.MIXED,
        "scrambled": _scrambled(10),
    }
    return tuple(
        Sample(f"{group}/{number}", text) for group, members in groups.items() for number, text in enumerate(members)
    )


def texts() -> list[str]:
    """Return the 500 texts alone, in the order of the reference's rows."""
    return [sample.text for sample in samples()]


def digest() -> str:
    """Return the SHA-256 (hex) of the texts as one JSON list in ASCII."""
    return hashlib.sha256(json.dumps(texts(), ensure_ascii=True).encode("ascii")).hexdigest()
