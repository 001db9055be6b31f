"""`embedway embed`: texts from arguments and files, vectors to the screen and to files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .command import FAKE, embed, launch, run, vectors

TEXTS = ["first", "  spaces  kept  ", "Grüße, 世界 👋🏽", 'quotes " and \\ and \t tab', "x" * 600]
CONFIG = '[[model]]\nname = "m"\nsource = "fake:8"\nmatryoshka = [2, 4, 8]\n'


@pytest.fixture(scope="module")
def wanted() -> np.ndarray:
    """The vectors of `TEXTS`, asked for as arguments."""
    ended = launch("embed", *FAKE, *TEXTS)
    assert ended.status == 0
    assert ended.err == ""
    assert [row["text"] for row in ended.rows()] == TEXTS
    return vectors(ended.rows())


def test_arguments(wanted: np.ndarray) -> None:
    """Texts on the command line come back as JSON lines in their order, and nothing else is written."""
    assert wanted.shape == (len(TEXTS), 8)
    assert len({tuple(vector) for vector in wanted}) == len(TEXTS)
    assert np.allclose(np.linalg.norm(wanted, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_text_file(tmp_path: Path, wanted: np.ndarray, end: str, last: bool) -> None:
    """A text file has one text a line, however its lines end; the JSONL file holds what the screen would."""
    (tmp_path / "texts.txt").write_bytes((end.join(TEXTS) + (end if last else "")).encode())
    ended = embed("--input", tmp_path / "texts.txt", "--output", tmp_path / "out.jsonl")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    assert np.array_equal(vectors(rows), wanted)


@pytest.mark.parametrize("field", ["text", "body"])
def test_jsonl_file(tmp_path: Path, wanted: np.ndarray, field: str) -> None:
    """A JSONL file holds the text under `text`, or under --field; a line may also be the text itself."""
    lines = [json.dumps({"id": 1, field: text}) for text in TEXTS[:-1]] + [json.dumps(TEXTS[-1])]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    ended = embed("--input", tmp_path / "in.jsonl", *(["--field", field] if field != "text" else []))
    assert [row["text"] for row in ended.rows()] == TEXTS
    assert np.array_equal(vectors(ended.rows()), wanted)


def test_npy_file(tmp_path: Path, wanted: np.ndarray) -> None:
    """A .npy file holds the vectors as float32, a row for each text; a lone carriage return does not end a line."""
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS, "one\rline"]), encoding="utf-8", newline="")
    ended = embed("--input", tmp_path / "texts.txt", "--output", tmp_path / "out.npy")
    assert (ended.status, ended.out, ended.err) == (0, "", "")
    array = np.load(tmp_path / "out.npy")
    assert array.dtype == np.float32
    assert array.shape == (len(TEXTS) + 1, 8)
    assert np.array_equal(array[:-1], wanted)


def test_many_texts(tmp_path: Path) -> None:
    """Thousands of texts keep their order from one chunk to the next; memory is no limit on their number."""
    texts = [f"text number {number}" for number in range(1500)]
    (tmp_path / "in.txt").write_text("\n".join(texts))
    rows = embed("--input", tmp_path / "in.txt").rows()
    assert [row["text"] for row in rows] == texts
    assert vectors(rows).shape == (1500, 8)
    alone = vectors(embed(texts[700], texts[1499]).rows())
    assert np.array_equal(vectors(rows)[[700, 1499]], alone)


def test_byte_order_mark(tmp_path: Path, wanted: np.ndarray) -> None:
    """The mark that some editors put before a file is no part of its first text."""
    (tmp_path / "texts.txt").write_text(TEXTS[0], encoding="utf-8-sig")
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": TEXTS[0]}), encoding="utf-8-sig")
    for name in ("texts.txt", "texts.jsonl"):
        assert np.array_equal(vectors(embed("--input", tmp_path / name).rows()), wanted[:1])


def test_pipe(wanted: np.ndarray) -> None:
    """A pipe is read like a file, though it can be read only once."""
    ended = launch("embed", *FAKE, "--input", "/dev/stdin", given="\n".join(TEXTS))
    assert np.array_equal(vectors(ended.rows()), wanted)


@pytest.mark.parametrize("suffix", [".jsonl", ".npy"])
def test_no_texts(tmp_path: Path, suffix: str) -> None:
    """An empty file has no texts: the output is there, and empty."""
    (tmp_path / "empty.txt").touch()
    assert embed("--input", tmp_path / "empty.txt", "--output", tmp_path / f"out{suffix}").status == 0
    if suffix == ".npy":
        assert np.load(tmp_path / "out.npy").shape == (0, 8)
    else:
        assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_dimensions(tmp_path: Path) -> None:
    """--dimensions cuts and renormalises where the model was trained for it, and names the range where it was not."""
    (tmp_path / "c.toml").write_text(CONFIG)
    full = vectors(run("embed", "--config", tmp_path / "c.toml", "a").rows())[0]
    short = vectors(run("embed", "--config", tmp_path / "c.toml", "--dimensions", "4", "a").rows())[0]
    assert np.allclose(short, full[:4] / np.linalg.norm(full[:4]), atol=1e-6)
    assert "2 to 8" in run("embed", "--config", tmp_path / "c.toml", "--dimensions", "9", "a").sentence()
    assert "have 8 dimensions" in embed("--dimensions", "4", "a").sentence()


def test_settings_from_the_environment(tmp_path: Path, wanted: np.ndarray) -> None:
    """The command takes its model from the environment or the file as the server does."""
    ended = run("embed", TEXTS[0], env={"EMBEDWAY_MODEL": "m=fake:8"})
    assert np.array_equal(vectors(ended.rows()), wanted[:1])
