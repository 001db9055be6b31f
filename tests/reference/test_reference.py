"""The committed reference belongs to the texts, and the comparison notices what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from . import compare, texts


@pytest.fixture(scope="module")
def committed() -> compare.Reference:
    return compare.load()


def test_there_are_500_different_texts_and_none_is_empty() -> None:
    assert len(texts.texts()) == len(set(texts.texts())) == 500
    assert all(texts.texts())
    assert len({sample.name for sample in texts.samples()}) == 500


def test_every_text_can_be_sent_as_utf_8() -> None:
    for text in texts.texts():
        assert text.encode("utf-8").decode("utf-8") == text


def test_the_texts_are_those_the_committed_vectors_were_made_from(
    committed: compare.Reference,
) -> None:
    assert committed.facts["texts_sha256"] == texts.digest()


def test_the_committed_vectors_are_finite_unit_vectors(committed: compare.Reference) -> None:
    assert committed.vectors.dtype == np.float32
    assert committed.vectors.shape == (500, 384)
    lengths = np.linalg.norm(committed.vectors.astype(np.float64), axis=1)
    assert np.abs(lengths - 1).max() < 1e-6


def test_texts_are_cut_at_256_tokens_and_reach_from_2_to_600(committed: compare.Reference) -> None:
    assert (committed.tokens == committed.all_tokens.clip(max=256)).all()
    assert committed.all_tokens.min() == 2
    assert committed.all_tokens.max() == 600
    assert (committed.all_tokens > 256).sum() >= 30


def test_a_reference_of_other_texts_is_refused(committed: compare.Reference, tmp_path: Path) -> None:
    facts = committed.facts | {"texts_sha256": "0" * 64}
    path = tmp_path / "stale.npz"
    compare.Reference(committed.vectors, committed.tokens, committed.all_tokens, facts).save(path)
    with pytest.raises(compare.StaleReferenceError):
        compare.load(path)


def test_saving_gives_back_what_was_loaded(committed: compare.Reference, tmp_path: Path) -> None:
    path = tmp_path / "copy.npz"
    committed.save(path)
    copy = compare.load(path)
    assert (copy.vectors == committed.vectors).all()
    assert (copy.tokens == committed.tokens).all()
    assert copy.facts == committed.facts


def test_scaling_a_row_does_not_change_its_cosine(committed: compare.Reference) -> None:
    agreement = compare.agree(committed.vectors, committed.vectors * np.float32(3))
    agreement.require(1 - 1e-9)
    assert agreement.mean == pytest.approx(1)


@pytest.mark.parametrize("broken", [0.0, float("nan"), float("inf")])
def test_a_broken_row_fails_and_is_named(committed: compare.Reference, broken: float) -> None:
    vectors = committed.vectors.copy()
    vectors[0] = broken
    with pytest.raises(AssertionError, match=r"1 of 500 rows below .*sentence english/0"):
        compare.agree(committed.vectors, vectors).require(0.5)


def test_the_worst_row_is_named_first(committed: compare.Reference) -> None:
    vectors = committed.vectors.copy()
    vectors[[2, 3]] = vectors[[3, 2]]
    names = [name for name, _ in compare.agree(committed.vectors, vectors).worst(2)]
    assert names == ["sentence english/2", "sentence english/3"]
