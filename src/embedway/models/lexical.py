"""Weights of terms without a network: a text's part of BM25, Robertson & Zaragoza 2009 ("The Probabilistic Relevance
Framework: BM25 and Beyond"), section 3.4, over the pieces of the model's own tokenizer.

For a document, a term that stands in it f times, among n, weighs f (k1 + 1) / (f + k1 (1 - b + b n / AVERAGE)); in a
query each term weighs 1. The third factor, how rare a term is in the collection, is the index's to know: an index that
can should multiply by it. What has no letter and no digit is no term.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from embedway.types import Role, Sparse

K1, B = 1.2, 0.75
AVERAGE = 256
"""Terms of a typical text; the collection's own average is not known here."""


class TermWeigher:
    """Weighs what `spell` turns into a word; safe to call from many threads at once."""

    def __init__(self, spell: Callable[[int], str]) -> None:
        self._spell = spell
        self._known: dict[int, bool] = {}

    def weigh(self, ids: npt.NDArray[np.int32], role: Role) -> Sparse:
        """The terms among these tokens of a text, int32 `[tokens]`, special ones included, and their weights."""
        terms, first, counts = np.unique(ids, return_index=True, return_counts=True)
        kept = np.array([self._stands(number) for number in terms.tolist()], dtype=np.bool_)
        terms, first, times = terms[kept], first[kept], counts[kept].astype(np.float32)
        norm = np.float32(K1 * (1 - B + B * float(times.sum()) / AVERAGE))
        weights = np.ones_like(times) if role == "query" else times * np.float32(K1 + 1) / (times + norm)
        return Sparse(terms.astype(np.int32), weights, np.argsort(first).astype(np.int32))

    def _stands(self, number: int) -> bool:
        """Whether the token is a term; special ones are spelled as nothing."""
        if number not in self._known:
            self._known[number] = any(map(str.isalnum, self._spell(number)))
        return self._known[number]
