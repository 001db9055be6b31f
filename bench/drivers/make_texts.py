"""Make the text sets from the docstrings of Python's standard library (runs in an environment that has `tokenizers`).

Nothing is drawn at random without a fixed seed: the same Python version gives the same texts.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import random
import sys
import sysconfig
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from bench.paths import MODEL, TEXTS
from bench.texts import BLOCK, SALT_WORDS

TEXTS_PER_SET = 256
BOUNDS = {"short": (5, 16), "mixed": (5, 400), "long": (256, 600)}
"""Fewest and most tokens, special tokens and salt included, before truncation."""
SKIPPED = {"site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip"}


def main() -> None:
    """Write `texts.json`."""
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    if tokenizer.truncation or tokenizer.padding:
        raise RuntimeError("the prepared tokenizer must neither cut nor pad")
    words = one_token_words(tokenizer)
    found = docstrings(Path(sysconfig.get_path("stdlib")))
    candidates = {"short": first_lines(found), "mixed": found, "long": found}
    sets: dict[str, list[dict[str, Any]]] = {}
    for name, (fewest, most) in BOUNDS.items():
        counts = [len(encoding.ids) + SALT_WORDS for encoding in tokenizer.encode_batch(candidates[name])]
        pairs = zip(candidates[name], counts, strict=True)
        fitting = [(text, count) for text, count in pairs if fewest <= count <= most]
        sets[name] = [{"text": text, "tokens": count} for text, count in stratified(fitting, random.Random(name))]
    check(tokenizer, words, sets)
    digest = hashlib.sha256(json.dumps([words, sets]).encode()).hexdigest()[:16]
    TEXTS.write_text(json.dumps({"digest": digest, "words": words, "sets": sets}))
    for name, rows in sets.items():
        cut = [min(row["tokens"], 256) for row in rows]
        mean = sum(cut) / len(cut)
        print(f"{name}: {len(rows)} texts, {min(cut)} to {max(cut)} tokens, mean {mean:.1f}", file=sys.stderr)


def docstrings(folder: Path) -> list[str]:
    """All distinct docstrings below the folder, in the order of the files."""
    seen: dict[str, None] = {}
    for path in sorted(folder.rglob("*.py")):
        if SKIPPED & set(path.relative_to(folder).parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = inspect.cleandoc(ast.get_docstring(node) or "")
                if text:
                    seen[text] = None
    return list(seen)


def first_lines(texts: list[str]) -> list[str]:
    """The distinct first lines."""
    return list(dict.fromkeys(text.splitlines()[0] for text in texts))


def stratified(rows: list[tuple[str, int]], rng: random.Random) -> list[tuple[str, int]]:
    """A sample in blocks of 32 with nearly the same spread of lengths in each block."""
    count = min(TEXTS_PER_SET, len(rows)) // BLOCK * BLOCK
    if not count:
        raise RuntimeError("too few docstrings of the wanted length")
    chosen = sorted(rng.sample(rows, count), key=lambda row: row[1])
    blocks = count // BLOCK
    strata = [chosen[i * blocks : (i + 1) * blocks] for i in range(BLOCK)]
    for stratum in strata:
        rng.shuffle(stratum)
    result = []
    for i in range(blocks):
        block = [stratum[i] for stratum in strata]
        rng.shuffle(block)
        result.extend(block)
    return result


def one_token_words(tokenizer: Tokenizer) -> list[str]:
    """256 plain words of the vocabulary, each of them one token."""
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    plain = [word for word, _ in by_id if word.isascii() and word.isalpha() and 4 <= len(word) <= 7]
    return plain[:256]


def check(tokenizer: Tokenizer, words: list[str], sets: dict[str, list[dict[str, Any]]]) -> None:
    """The salt is exactly three tokens in front of every text."""
    salt = " ".join(words[:SALT_WORDS])
    if any(len(tokenizer.encode(word, add_special_tokens=False).ids) != 1 for word in words):
        raise RuntimeError("a salt word is more than one token")
    for rows in sets.values():
        for row in rows:
            if len(tokenizer.encode(f"{salt} {row['text']}").ids) != row["tokens"]:
                raise RuntimeError(f"token count is off for {row['text']!r}")


if __name__ == "__main__":
    main()
