"""The texts and the intervals of the benchmark of reductions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.corpus import Corpus, paragraphs
from bench.reduction import _interval

SOURCE = '''
def one():
    """This first paragraph reads like a sentence and is long enough.

    Too short.

    >>> this is code and it is not a sentence but is long enough to be one

    |-----+-----|-----+-----|-----+-----|-----+-----|-----+-----|-----+-----|

    The third one goes on
    over two lines, which are joined to one.
    """
'''


def test_paragraphs_that_read_like_sentences(tmp_path: Path) -> None:
    """No code, no tables, nothing short; lines are joined. A file that is no Python has none."""
    (tmp_path / "good.py").write_text(SOURCE)
    (tmp_path / "bad.py").write_text("def (")
    assert list(paragraphs(tmp_path / "good.py")) == [
        "This first paragraph reads like a sentence and is long enough.",
        "The third one goes on over two lines, which are joined to one.",
    ]
    assert list(paragraphs(tmp_path / "bad.py")) == []


def test_a_corpus_is_known_by_its_digest() -> None:
    """A text that changes sides changes it."""
    assert Corpus(("a",), ("b",)).digest == Corpus(("a",), ("b",)).digest
    assert Corpus(("a", "b"), ()).digest != Corpus(("a",), ("b",)).digest


def test_an_interval_holds_the_mean_and_narrows_with_more_rows() -> None:
    """As wide as four standard errors, about."""
    shares = np.random.default_rng(0).random(400)
    few, many = _interval(shares[:100]), _interval(shares)
    assert few["low"] < few["mean"] < few["high"]
    assert many["high"] - many["low"] == pytest.approx(4 * shares.std() / 20, rel=0.1)
    assert few["high"] - few["low"] > 1.5 * (many["high"] - many["low"])
