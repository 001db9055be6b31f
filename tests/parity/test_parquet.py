"""Parquet files as pyarrow writes them: texts and vectors, in whatever groups of rows, with what is missing named."""

from __future__ import annotations

from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from embedway.errors import SettingsError
from embedway.reduce.rows import Rows, kind_of


def write(folder: Path, **columns: object) -> Path:
    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return path


def test_vectors(tmp_path: Path) -> None:
    """A column of lists; null, zeros, another length and NaN are refused by their row."""
    given = [[1.0, 2.0], None, [0.0, 0.0], [3.0, 4.0, 5.0], [float("nan"), 1.0], [5.0, 6.0]]
    path = write(tmp_path, id=list(range(6)), embedding=given)
    rows = Rows(path)
    found = [row for block in rows if block.vectors is not None for row in block.vectors.tolist()]
    assert found == [[1.0, 2.0], [5.0, 6.0]]
    assert sorted(reason.split(":")[0] for reason in rows.refusals.first) == ["row 2", "row 3", "row 4", "row 5"]
    assert kind_of(path, "text") == "vector"


def test_texts(tmp_path: Path) -> None:
    """A column of texts by its name; without it one sentence says what to do."""
    path = write(tmp_path, body=["a", None, "", "c"])
    rows = Rows(path, "body")
    assert [text for block in rows for text in block.texts or ()] == ["a", "c"]
    assert rows.refusals.count == 2
    with pytest.raises(SettingsError, match="has no column 'text' and none called embedding"):
        list(Rows(path))


def test_what_is_no_parquet_file_is_one_sentence(tmp_path: Path) -> None:
    """Rather than pyarrow's error."""
    (tmp_path / "rows.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(SettingsError, match="is no Parquet file"):
        list(Rows(tmp_path / "rows.parquet"))
