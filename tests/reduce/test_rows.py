"""Rows of files: what can be used, what is refused, and that nothing is lost in silence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.errors import SettingsError
from embedway.reduce.rows import BLOCK, NAMED, Rows, kind_of

GOOD = [[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]


def write(folder: Path, *lines: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), encoding="utf-8")
    return path


def texts(rows: Rows) -> list[str]:
    return [text for block in rows for text in block.texts or ()]


def vectors(rows: Rows) -> list[list[float]]:
    return [row for block in rows if block.vectors is not None for row in block.vectors.tolist()]


def test_texts_are_read_from_their_field(tmp_path: Path) -> None:
    """A line is an object with the field, or the text itself."""
    path = write(tmp_path, {"body": "first"}, '"second"', {"body": "third", "text": "not this"})
    assert texts(Rows(path, "body")) == ["first", "second", "third"]
    assert kind_of(path, "body") == "text"


def test_vectors_win_over_texts(tmp_path: Path) -> None:
    """What `embedway embed` writes has both: its vectors need not be computed again."""
    path = write(tmp_path, *({"text": "t", "embedding": one} for one in GOOD))
    assert vectors(Rows(path)) == GOOD
    assert kind_of(path, "text") == "vector"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("", "the line is empty"),
        ({"other": 1}, "no text under 'text'"),
        ({"text": 5}, "no text under 'text'"),
        ({"text": " \t"}, "the text is empty"),
        ({"text": "a text"}, "it is a text, and the rows before are vectors"),
        ({"embedding": [1.0]}, "1 numbers instead of 2"),
        ({"embedding": [1.0, None]}, "NaN or infinity"),
        ({"embedding": [1.0, "x"]}, "'embedding' is no list of numbers"),
        ({"embedding": []}, "'embedding' is no list of numbers"),
        ({"embedding": [[1.0, 2.0]]}, "'embedding' is no list of numbers"),
        ({"embedding": [0.0, 0.0]}, "all numbers are 0"),
        ({"embedding": [1e300, 1.0]}, "NaN or infinity"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(tmp_path: Path, line: object, reason: str) -> None:
    """The good rows around it are kept."""
    rows = Rows(write(tmp_path, {"embedding": GOOD[0]}, line, {"embedding": GOOD[1]}))
    assert vectors(rows) == GOOD[:2]
    assert rows.refusals.count == 1
    assert rows.refusals.first[0].startswith(f"row 2: {reason}")
    assert "1 rows were refused: row 2: " in str(rows.refusals)


def test_many_bad_rows_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    """The sentence says how many there are beside the named ones."""
    rows = Rows(write(tmp_path, *["{"] * (NAMED + 5), {"text": "good"}))
    assert texts(rows) == ["good"]
    assert rows.refusals.count == NAMED + 5
    assert len(rows.refusals.first) == NAMED
    assert str(rows.refusals).endswith("and 5 more.")


@given(st.lists(st.booleans(), max_size=3 * BLOCK))
def test_every_row_is_used_or_refused(tmp_path_factory: pytest.TempPathFactory, good: list[bool]) -> None:
    """In whatever order good and bad ones come, over the bounds of blocks too."""
    path = write(tmp_path_factory.mktemp("rows"), *({"text": f"t{i}"} if one else "{" for i, one in enumerate(good)))
    rows = Rows(path)
    assert texts(rows) == [f"t{index}" for index, one in enumerate(good) if one]
    assert rows.refusals.count == good.count(False)


def test_an_array_is_read_in_pieces(tmp_path: Path) -> None:
    """Rows of zeros, NaN and infinity are refused by their number; float64 is brought to float32."""
    array = np.random.default_rng(0).standard_normal((2 * BLOCK + 3, 4))
    array[1], array[BLOCK + 1, 2], array[2 * BLOCK + 2, 0] = 0, np.nan, np.inf
    np.save(tmp_path / "rows.npy", array)
    rows = Rows(tmp_path / "rows.npy")
    found = np.array(vectors(rows))
    assert np.array_equal(found, np.delete(array, [1, BLOCK + 1, 2 * BLOCK + 2], axis=0).astype(np.float32))
    assert rows.refusals.first == [
        "row 2: all numbers are 0",
        f"row {BLOCK + 2}: NaN or infinity",
        f"row {2 * BLOCK + 3}: NaN or infinity",
    ]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros(5), "must hold numbers in two dimensions"),
        (np.array([["a", "b"]]), "must hold numbers in two dimensions"),
        (np.zeros((3, 1)), "have 1 numbers: 2 to 4000"),
        (np.zeros((3, 4001)), "have 4001 numbers: 2 to 4000"),
    ],
)
def test_another_array_is_refused_as_a_whole(tmp_path: Path, array: np.ndarray, said: str) -> None:
    """It is no list of vectors that can be reduced."""
    np.save(tmp_path / "rows.npy", array)
    with pytest.raises(SettingsError, match=said):
        list(Rows(tmp_path / "rows.npy"))


def test_an_empty_file_is_no_array(tmp_path: Path) -> None:
    """As a copy that was cut off leaves it."""
    (tmp_path / "rows.npy").write_bytes(b"")
    with pytest.raises(SettingsError, match="no array that can be read"):
        list(Rows(tmp_path / "rows.npy"))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    """An array of objects could run code."""
    np.save(tmp_path / "rows.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(SettingsError, match="no array that can be read"):
        list(Rows(tmp_path / "rows.npy"))


def test_parquet_needs_its_extra(tmp_path: Path) -> None:
    """Without pyarrow one sentence says what to install."""
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    missing = dict.fromkeys(["pyarrow", "pyarrow.parquet"])
    with mock.patch.dict(sys.modules, missing), pytest.raises(SettingsError, match=r"install embedway\[parquet\]"):
        list(Rows(tmp_path / "rows.parquet"))


@pytest.mark.parametrize(("name", "said"), [("none.jsonl", "There is no file"), ("rows.csv", "must end in .jsonl")])
def test_other_files_are_refused(tmp_path: Path, name: str, said: str) -> None:
    """Before anything is read."""
    (tmp_path / "rows.csv").write_text("a,b")
    with pytest.raises(SettingsError, match=said):
        Rows(tmp_path / name)


def test_the_digest_is_of_the_rows_and_not_of_the_file(tmp_path: Path) -> None:
    """The same vectors have it in both kinds of files; another order, or another text, has another."""
    np.save(tmp_path / "rows.npy", np.array(GOOD))
    np.save(tmp_path / "turned.npy", np.array(GOOD[::-1]))
    path = write(tmp_path, *({"embedding": one} for one in GOOD), "{")
    array, lines, turned = (Rows(one) for one in (tmp_path / "rows.npy", path, tmp_path / "turned.npy"))
    for rows in (array, lines, turned):
        list(rows)
    assert lines.digest == array.digest
    assert lines.digest != turned.digest
