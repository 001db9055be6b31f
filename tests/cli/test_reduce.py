"""`embedway reduce`: from a file to a folder that can be served, and the page about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embedway.models.reduction import Base, read_reduction
from tests.reduce.artefacts import make, topics

from .command import Ended, launch, run

MODEL = ("--model", "fake=fake:16")
OWN = ("--dimension", "6", "--name", "made", "--method", "pca")


def corpus(folder: Path, count: int = 600) -> Path:
    path = folder / "corpus.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"text number {number}"}) for number in range(count)))
    return path


def vectors(folder: Path, count: int = 600) -> Path:
    np.save(folder / "vectors.npy", topics(count, 16))
    return folder / "vectors.npy"


def train(data: Path, *more: str | Path) -> Ended:
    return run("reduce", "train", *OWN, "--data", data, "--output", data.parent / "made", *more)


def test_texts_become_a_reduction_of_the_model(tmp_path: Path) -> None:
    """The card names the base model and its revision; the bad rows are named; a table says what is kept."""
    path = corpus(tmp_path)
    path.write_text(path.read_text() + '\n{"text": ""}\n{"text": "!nan"}\n')
    ended = train(path, *MODEL)
    assert ended.status == 0, ended.err
    assert "600 rows, trained on " in ended.out
    assert "2 rows were refused: row 601: the text is empty; row 602: The model returned a vector that" in ended.out
    assert ended.out.endswith(f"The reduction is in {tmp_path / 'made'}.\n")
    card = read_reduction(tmp_path / "made").card
    assert card.base == Base("fake:16", "fake")
    assert (card.dimension, card.data.rows, card.data.refused) == (6, 600, 2)


def test_vectors_of_no_named_model(tmp_path: Path) -> None:
    """Nothing is opened, and the card has no base; with --model they are taken for its."""
    assert train(vectors(tmp_path)).status == 0
    assert read_reduction(tmp_path / "made").card.base is None
    assert train(vectors(tmp_path), *MODEL).status == 0
    assert read_reduction(tmp_path / "made").card.base == Base("fake:16", "fake")


def test_the_nested_method_repeats_for_a_seed(tmp_path: Path) -> None:
    """In processes of their own, as users run it; the progress is on standard error when it is asked for."""
    path = vectors(tmp_path, 300)
    made = []
    for number in range(2):
        arguments = ("--dimension", "6", "--name", "made", "--seed", "3", "--steps", "9", "--progress", "--data", path)
        ended = launch("reduce", "train", *arguments, "--output", tmp_path / str(number))
        assert ended.status == 0, ended.err
        assert "training: 100%" in ended.err
        made.append((tmp_path / str(number) / "reduction.safetensors").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--dimension", "17"), "--dimension must be between 1 and 16, the base's, not 17"),
        (("--model", "fake=fake:24"), "The vectors have 16 numbers, and those of 'fake:24' have 24"),
        (("--name", "../up"), "--name may hold"),
        (("--name", ".hidden"), "--name may hold"),
        (("--model", "a=fake:16", "--model", "b=fake:16"), "works with one model"),
        (("--whiten", "--method", "nested"), "--whiten belongs to --method pca"),
        (("--data", "none.jsonl"), "There is no file none.jsonl"),
    ],
)
def test_what_contradicts_itself_is_one_sentence(tmp_path: Path, more: tuple[str, ...], said: str) -> None:
    """And nothing is written."""
    model = () if "--model" in more else MODEL
    assert said in train(vectors(tmp_path), *model, *more).sentence()
    assert not (tmp_path / "made").exists()


def test_a_reduced_model_is_no_base(tmp_path: Path) -> None:
    """A reduction of a reduction would hide what it was trained on."""
    make(tmp_path / "first", 16, 6)
    config = tmp_path / "config.toml"
    config.write_text(f'[[model]]\nname = "m"\nsource = "fake:16"\nreduction = "{tmp_path / "first"}"\n')
    assert "are reduced already" in train(corpus(tmp_path), "--config", config).sentence()


def test_report(tmp_path: Path) -> None:
    """One page, where it is asked for; a folder that is no artefact is a sentence."""
    make(tmp_path / "made", 16, 6)
    ended = run("reduce", "report", tmp_path / "made", "--output", tmp_path / "page.html")
    assert (ended.status, ended.out) == (0, f"The report is in {tmp_path / 'page.html'}.\n")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "holds no trained reduction" in run("reduce", "report", tmp_path).sentence(1)


def test_a_reduced_model_embeds_files(tmp_path: Path) -> None:
    """`embedway embed` gives the length of the artefact, or another one."""
    make(tmp_path / "made", 16, 6)
    config = tmp_path / "config.toml"
    config.write_text(f'[[model]]\nname = "m"\nsource = "fake:16"\nreduction = "{tmp_path / "made"}"\n')
    for more, length in (((), 6), (("--dimensions", "3"), 3), (("--dimensions", "16"), 16)):
        ended = run("embed", "--config", config, *more, "a", "b")
        assert {len(row["embedding"]) for row in ended.rows()} == {length}
        path = corpus(tmp_path, 5)
        assert run("embed", "--config", config, *more, "--input", path, "--output", tmp_path / "o.npy").status == 0
        assert np.load(tmp_path / "o.npy").shape == (5, length)


def test_the_list_of_models_has_the_reduced_length(tmp_path: Path) -> None:
    """Of the artefact; where it cannot be read, the reason."""
    config = tmp_path / "config.toml"
    config.write_text(f'[[model]]\nname = "m"\nsource = "all-MiniLM-L6-v2"\nreduction = "{tmp_path / "made"}"\n')
    (row,) = run("models", "--config", config, "--json").rows()
    assert "holds no trained reduction" in row["problem"]
    make(tmp_path / "made", 384, 128)
    (row,) = run("models", "--config", config, "--json").rows()
    assert (row["dimensions"], row["problem"]) == (128, None)
