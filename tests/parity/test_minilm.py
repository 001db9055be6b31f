"""The bundled model with its real weights, on the 500 texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.reference import compare, texts

from .ours import Computed, compute, fastest_dtype

SOURCE = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def fresh(fresh_file: Path) -> compare.Reference:
    return compare.load(fresh_file)


@cache
def _ours(batch_items: int) -> Computed:
    """Compute the 500 texts, shuffled so that each batch mixes lengths and scripts; rows in the texts' own order."""
    places = np.arange(500) * 37 % 500
    shuffled = compute(SOURCE, [texts.texts()[place] for place in places], batch_items=batch_items)
    back = np.argsort(places)
    return Computed(shuffled.vectors[back], shuffled.tokens[back])


def test_the_committed_reference_is_what_the_library_computes_now(
    fresh: compare.Reference, report: Callable[[object], None]
) -> None:
    committed = compare.load()
    agreement = compare.agree(committed.vectors, fresh.vectors)
    report(agreement)
    agreement.require(compare.REBUILT_COSINE)
    assert (committed.tokens == fresh.tokens).all()
    assert (committed.all_tokens == fresh.all_tokens).all()
    assert committed.facts["weights_sha256"] == fresh.facts["weights_sha256"]


@pytest.mark.parametrize("batch_items", [1, 64])
def test_fp32_vectors_are_those_of_the_library(
    batch_items: int, fresh: compare.Reference, report: Callable[[object], None]
) -> None:
    agreement = compare.agree(fresh.vectors, _ours(batch_items).vectors)
    report(agreement)
    agreement.require(compare.FP32_COSINE)


def test_bf16_vectors_are_near_those_of_the_library(fresh: compare.Reference, report: Callable[[object], None]) -> None:
    """A processor without bf16 emulates it a hundred times slower than fp32: then every 20th text must do."""
    rows = slice(None) if fastest_dtype(SOURCE) == "bf16" else slice(None, None, 20)
    ours = compute(SOURCE, texts.texts()[rows], dtype="bf16").vectors
    agreement = compare.agree(fresh.vectors[rows], ours, [sample.name for sample in texts.samples()[rows]])
    report(f"{len(ours)} texts: {agreement}")
    agreement.require(compare.BF16_COSINE)


def test_tokens_are_counted_as_the_library_counts_them(fresh: compare.Reference) -> None:
    names = [sample.name for sample in texts.samples()]
    ours = _ours(64).tokens.tolist()
    assert dict(zip(names, ours, strict=True)) == dict(zip(names, fresh.tokens.tolist(), strict=True))


def test_a_vector_hardly_depends_on_its_neighbours(report: Callable[[object], None]) -> None:
    """Alone and among 63 others; the order of sums may differ, by a few units in the last place."""
    alone, among = _ours(1).vectors, _ours(64).vectors
    equal = int((alone == among).all(axis=1).sum())
    difference = float(np.abs(alone - among).max())
    report(f"{equal} of {len(alone)} bit-equal, largest difference {difference:.1e}")
    assert difference < 1e-6
