"""From a file to an artefact, and what is refused on the way."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedway.errors import EmbedwayError, InvalidInput, SettingsError
from embedway.models.reduction import CARD, TENSORS, Base, read_reduction
from embedway.reduce.artefact import write_artefact
from embedway.reduce.nested import Plan
from embedway.reduce.rows import Rows
from embedway.reduce.train import Embed, Job, train

from .artefacts import topics

WIDTH = 16
BASE = Base("fake:16", "fake")
JOB = Job("made", 6, plan=Plan(steps=30, anchors=32, near=8, strangers=32))


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.read = 0
        self.done: list[tuple[int, int]] = []

    def rows(self, count: int) -> None:
        self.read += count

    def steps(self, done: int, total: int) -> None:
        self.done.append((done, total))


def array(folder: Path, found: np.ndarray) -> Rows:
    np.save(folder / "rows.npy", found)
    return Rows(folder / "rows.npy")


def make(folder: Path, found: np.ndarray, job: Job = JOB, embed: Embed | None = None) -> Path:
    """Train on vectors and write the artefact."""
    write_artefact(folder / "made", *train(array(folder, found), job, embed, Told()))
    return folder / "made"


@pytest.mark.parametrize(
    "job", [JOB, dataclasses.replace(JOB, method="pca"), dataclasses.replace(JOB, method="pca", whiten=True)]
)
def test_the_artefact_says_what_it_is(tmp_path: Path, job: Job) -> None:
    """The card has the rows used and refused, the method, and how many neighbours are kept at several lengths."""
    found = topics(600, WIDTH)
    found[10] = np.nan
    reduction = read_reduction(make(tmp_path, found, dataclasses.replace(job, base=BASE, width=WIDTH)))
    card = reduction.card
    assert (card.name, card.method, card.whitened) == ("made", job.method, job.whiten)
    assert (card.width, card.dimension, card.base) == (WIDTH, 6, BASE)
    assert (card.data.rows, card.data.refused, card.data.trained + card.data.held_out) == (599, 1, 599)
    assert len(card.explained) == WIDTH
    assert card.explained[-1] == pytest.approx(1)
    quality = {one.dimensions: one for one in card.quality}
    assert {5, 6, 8, 12, 16} == set(quality)
    assert quality[16].pca == quality[16].cut == 1
    assert quality[6].recall > quality[6].cut
    mapped = reduction.apply(topics(5, WIDTH, 7))
    assert np.allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-6)


def test_the_card_measures_what_the_artefact_does(tmp_path: Path) -> None:
    """Recall found anew with the map that is read from the folder is the recall of the card."""
    found = topics(1000, WIDTH)
    reduction = read_reduction(make(tmp_path, found, dataclasses.replace(JOB, method="pca")))
    assert [one.recall for one in reduction.card.quality] == [one.pca for one in reduction.card.quality]


def test_equal_data_and_seed_give_equal_files(tmp_path: Path) -> None:
    """To the byte; another seed gives others."""
    found = topics(300, WIDTH)
    jobs = [JOB, JOB, dataclasses.replace(JOB, seed=1)]
    for number, job in enumerate(jobs):
        (tmp_path / str(number)).mkdir()
        make(tmp_path / str(number), found, job)
    for name in (CARD, TENSORS):
        first, again, other = ((tmp_path / str(number) / "made" / name).read_bytes() for number in range(3))
        assert first == again
        assert first != other


def test_texts_are_embedded_block_by_block(tmp_path: Path) -> None:
    """A text that the model refuses is a refused row; the others are trained on."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"text {number}"}) for number in range(700)))
    blocks: list[int] = []

    def embed(texts: Sequence[str]) -> tuple[np.ndarray, Sequence[tuple[int, str]]]:
        blocks.append(len(texts))
        numbers = [int(text.split()[1]) for text in texts]
        faults = [(place, "too long") for place, number in enumerate(numbers) if number == 650]
        good = [number for number in numbers if number != 650]
        return topics(700, WIDTH)[good], faults

    rows, told = Rows(path), Told()
    card, _ = train(rows, dataclasses.replace(JOB, base=BASE, width=WIDTH), embed, told)
    assert (card.data.rows, card.data.refused) == (699, 1)
    assert rows.refusals.first == ["row 651: too long"]
    assert max(blocks) < 700
    assert told.read == 700
    assert told.done[-1] == (30, 30)


@pytest.mark.parametrize(
    ("found", "job", "kind", "said"),
    [
        (topics(255, WIDTH), JOB, InvalidInput, "There are 255 rows, and 256 are needed: 4 for each of the 16 numbers"),
        (np.ones((300, WIDTH)), JOB, InvalidInput, "All vectors are the same"),
        (np.repeat(topics(20, WIDTH), 20, axis=0), JOB, InvalidInput, "only 20 are distinct"),
        (2.0 ** np.arange(-50, 250)[:, None] * np.ones(WIDTH) / 2**100, JOB, InvalidInput, "All vectors are the same"),
        (np.full((100, WIDTH), np.nan), JOB, InvalidInput, "There is no row to learn from. 100 rows were refused"),
        (topics(300, WIDTH), dataclasses.replace(JOB, dimension=17), SettingsError, "between 1 and 16"),
        (
            topics(300, WIDTH),
            dataclasses.replace(JOB, base=BASE, width=24),
            SettingsError,
            "The vectors have 16 numbers, and those of 'fake:16' have 24",
        ),
        (topics(300, WIDTH), dataclasses.replace(JOB, whiten=True), SettingsError, "--whiten belongs to --method pca"),
        (topics(300, WIDTH) * (np.arange(WIDTH) < 4), JOB, InvalidInput, "differ in 4 directions only"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, found: np.ndarray, job: Job, kind: type[EmbedwayError], said: str
) -> None:
    """One sentence says why, and nothing is written."""
    with pytest.raises(kind, match=said):
        make(tmp_path, found, job)
    assert not (tmp_path / "made").exists()


def test_texts_need_a_model(tmp_path: Path) -> None:
    """Nothing is guessed."""
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}')
    with pytest.raises(SettingsError, match="name the model that embeds them with --model"):
        train(Rows(tmp_path / "rows.jsonl"), JOB, None, Told())


def test_a_reduction_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    """A folder with other files is left as it is."""
    folder = make(tmp_path, topics(300, WIDTH))
    before = (folder / TENSORS).read_bytes()
    make(tmp_path, topics(300, WIDTH, 5))
    assert (folder / TENSORS).read_bytes() != before
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="holds something else"):
        make(tmp_path, topics(300, WIDTH))
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_replacement_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new folder cannot be moved to its place: the old one is still there, and nothing lies beside it."""
    folder = make(tmp_path, topics(300, WIDTH))
    before = (folder / TENSORS).read_bytes()
    rename = os.rename

    def fails_for_the_new(source: Path, target: Path) -> None:
        if target == folder and not source.name.endswith(".former"):
            raise OSError("no")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_for_the_new)
    with pytest.raises(SettingsError, match="cannot be written"):
        make(tmp_path, topics(300, WIDTH, 5))
    assert (folder / TENSORS).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
