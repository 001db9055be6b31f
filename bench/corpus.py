"""English texts that are on every machine with Python: paragraphs of the docstrings of its standard library and of what
is installed beside it.

A file's texts are all for training or all held out, by the digest of its path: the same installation gives the same
split. A text that is in both parts is held out only.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SKIPPED = {"test", "tests", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data"}
FEWEST, MOST = 40, 400
"""Characters of a paragraph that is taken."""
WORDS = 6
HELD_OUT = 85
"""Of 256: the share of the files whose texts are never trained on."""


@dataclass(frozen=True)
class Corpus:
    """Distinct texts, no text in both parts."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Identifies the texts: figures of two machines compare only where this is equal."""
        told = "\0".join((*self.train, "", *self.held_out))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def collect(most_train: int, most_held_out: int) -> Corpus:
    """At most so many texts of each part, in the order of their digests, which is as good as chance."""
    train: set[str] = set()
    held_out: set[str] = set()
    for name, path in _files():
        part = held_out if hashlib.sha256(name.encode()).digest()[0] < HELD_OUT else train
        part.update(paragraphs(path))
    return Corpus(_some(train - held_out, most_train), _some(held_out, most_held_out))


def paragraphs(path: Path) -> Iterator[str]:
    """The paragraphs of a file's docstrings that read like sentences: no code, no tables, no lists of parameters."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(ast.get_docstring(node) or "")):
                text = " ".join(paragraph.split())
                if FEWEST <= len(text) <= MOST and _reads(text):
                    yield text


def _reads(text: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in text)
    return len(text.split()) >= WORDS and letters >= 0.9 * len(text) and ">>>" not in text and text.isascii()


def _files() -> Iterator[tuple[str, Path]]:
    """Every module with a name that does not depend on where Python is installed."""
    for kind in ("stdlib", "purelib", "platlib"):
        folder = Path(sysconfig.get_path(kind))
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).parts
            if not SKIPPED & set(parts) and not (kind == "stdlib" and "site-packages" in parts):
                yield f"{'stdlib' if kind == 'stdlib' else 'site'}/{'/'.join(parts)}", path


def _some(texts: Iterable[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())[:most])
