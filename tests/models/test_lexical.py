"""BM25's weights of terms, with the bundled model's tokenizer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.backends.open import open_backend
from embedway.models.lexical import TermWeigher
from embedway.types import Features, ModelSpec, Output, Role, Sparse, Text

WORDS = {1: "", 2: ".", 3: "a", 4: "b", 5: "42", 6: "c"}


def weigh(ids: list[int], role: Role = "document") -> Sparse:
    return TermWeigher(WORDS.__getitem__).weigh(np.array(ids, dtype=np.int32), role)


def test_the_formula() -> None:
    """f (k1 + 1) / (f + k1 (1 - b + b n / 256)), by hand."""
    found = weigh([1, 4, 3, 2, 4, 5, 1])
    norm = 1.2 * (0.25 + 0.75 * 4 / 256)
    assert found.ids.tolist() == [3, 4, 5]
    assert found.weights == pytest.approx([2.2 / (1 + norm), 4.4 / (2 + norm), 2.2 / (1 + norm)])
    assert found.order is not None
    assert found.ids[found.order].tolist() == [4, 3, 5]


def test_a_query_weighs_each_term_once() -> None:
    """However often it stands there: BM25's sum is over the query's terms."""
    assert weigh([3, 3, 4], "query").weights.tolist() == [1.0, 1.0]


@given(st.lists(st.sampled_from(sorted(WORDS)), max_size=60))
def test_weights_are_positive_and_bounded(ids: list[int]) -> None:
    """By k1 + 1, whatever the text; ids ascend; nothing is left of a text without words."""
    found = weigh(ids)
    assert found.ids.dtype == np.int32
    assert found.ids.tolist() == sorted({one for one in ids if one > 2})
    assert all(0 < weight < 2.2 for weight in found.weights)


def test_an_embedder_gives_them_without_a_pass() -> None:
    """Given texts of which nothing else is wanted, the network is not run; beside a vector, both come."""
    backend = open_backend(ModelSpec("m", "all-MiniLM-L6-v2"))
    assert not backend.facts.sparse_head
    text = "Paris is the capital of France."
    alone = backend.prepare(Text(text, outputs=Output.SPARSE))
    both = backend.prepare(Text(text, outputs=Output.SPARSE | Output.DENSE))
    (first,) = backend.run([alone])
    (second,) = backend.run([both])
    assert first.dense is None
    assert second.dense is not None
    assert first.sparse is not None
    assert second.sparse is not None
    assert first.sparse.ids.tolist() == second.sparse.ids.tolist()
    assert sorted(backend.vocabulary.spell(first.sparse.ids.tolist())) == [
        "capital",
        "france",
        "is",
        "of",
        "paris",
        "the",
    ]
    backend.close()


def test_a_prompt_is_no_part_of_a_texts_terms() -> None:
    """It would stand in every text."""
    prompted = open_backend(ModelSpec("m", "all-MiniLM-L6-v2", query_prompt="zebra: "))
    features: Features = prompted.prepare(Text("hello", "query", Output.SPARSE))
    assert features.sparse is not None
    assert prompted.vocabulary.spell(features.sparse.ids.tolist()) == ["hello"]
    prompted.close()
