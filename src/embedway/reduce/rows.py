"""Reading texts or vectors from files that may be larger than memory: JSONL, Parquet, `.npy`.

Rows come in blocks. A row that cannot be used is refused: counted, and the first of them named with its number and the
reason. Nothing is passed over in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from embedway.errors import SettingsError
from embedway.models.reduction import WIDEST
from embedway.vectors import Floats

BLOCK = 512
"""Rows that are read together."""
NAMED = 20
"""Refused rows whose reasons are kept."""
VECTORS = "embedding"
"""The key, or column, of vectors. A row that has it is taken for a vector, also where it has a text."""


@dataclass(slots=True)
class Refusals:
    """The rows that could not be used."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, number: int, reason: str) -> None:
        """`number` counts the file's rows from 1."""
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(f"row {number}: {reason}")

    def __str__(self) -> str:
        """One sentence; empty where nothing was refused."""
        if not self.count:
            return ""
        more = "" if self.count == len(self.first) else f"; and {self.count - len(self.first)} more"
        return f"{self.count} rows were refused: {'; '.join(self.first)}{more}."


@dataclass(frozen=True, slots=True)
class Block:
    """Good rows and their numbers in the file: `texts`, or `vectors` float32 `[rows, width]`."""

    numbers: Sequence[int]
    texts: Sequence[str] | None = None
    vectors: Floats | None = None


class Rows:
    """The good rows of a file. `refusals` grows while they are read."""

    def __init__(self, path: Path, field: str = "text") -> None:
        """Raises `SettingsError` for a file that is absent or of a kind that is not read."""
        if not path.is_file():
            raise SettingsError(f"There is no file {path}.")
        if path.suffix not in _READERS:
            raise SettingsError(f"{path} must end in {', '.join(_READERS)}: other files are not read.")
        self.refusals = Refusals()
        self._path = path
        self._field = field
        self._width: int | None = None
        self._kind: str | None = None
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[Block]:
        """Raises `SettingsError` where the file as a whole cannot be read."""
        try:
            for block in _READERS[self._path.suffix](self):
                self._note(block)
                yield block
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be read: {error.strerror or error}.") from error

    @property
    def digest(self) -> str:
        """SHA-256 of the good rows that were read, in their order: of the texts, or of the vectors in float32."""
        return self._digest.hexdigest()

    def _note(self, block: Block) -> None:
        for text in block.texts or ():
            self._digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        if block.vectors is not None:
            self._digest.update(np.ascontiguousarray(block.vectors, dtype="<f4").tobytes())

    # The kinds of files -----------------------------------------------------------------------------------------------

    def _read_lines(self) -> Iterator[Block]:
        with self._path.open("rb") as lines:
            numbered = enumerate(lines, 1)
            while chunk := list(islice(numbered, BLOCK)):
                yield from self._sort([(number, *self._parse(line)) for number, line in chunk])

    def _parse(self, line: bytes) -> tuple[Any, str]:
        try:
            return orjson.loads(line), ""
        except orjson.JSONDecodeError as error:
            return None, "the line is empty" if not line.strip() else f"no JSON ({error})"

    def _read_parquet(self) -> Iterator[Block]:
        try:
            from pyarrow import ArrowInvalid
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise SettingsError(f"Reading {self._path} needs pyarrow: install embedway[parquet].") from error
        try:
            with ParquetFile(self._path) as file:
                yield from self._read_column(file)
        except ArrowInvalid as error:
            raise SettingsError(f"{self._path} is no Parquet file: {str(error).rstrip('.')}.") from error

    def _read_column(self, file: Any) -> Iterator[Block]:
        known = file.schema_arrow.names
        column = VECTORS if VECTORS in known else self._field
        if column not in known:
            raise SettingsError(
                f"{self._path} has no column '{self._field}' and none called {VECTORS}: choose it with --field."
            )
        number = 0
        for batch in file.iter_batches(BLOCK, columns=[column]):
            values = batch.column(0).to_pylist()
            yield from self._sort([(number + place, {column: one}, "") for place, one in enumerate(values, 1)])
            number += len(values)

    def _read_array(self) -> Iterator[Block]:
        try:
            array = np.load(self._path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise SettingsError(f"{self._path} is no array that can be read: {error}.") from error
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise SettingsError(
                f"{self._path} must hold numbers in two dimensions, a vector a row; it has the shape {array.shape} "
                f"of {array.dtype}."
            )
        self._width = self._checked_width(array.shape[1])
        for start in range(0, len(array), BLOCK):
            with np.errstate(over="ignore"):
                rows = np.asarray(array[start : start + BLOCK], dtype=np.float32)
            yield self._usable(list(range(start + 1, start + len(rows) + 1)), rows)

    # What is in a row -------------------------------------------------------------------------------------------------

    def _sort(self, rows: Sequence[tuple[int, Any, str]]) -> Iterator[Block]:
        """Rows with their number, value and fault -> one block of good ones, or none."""
        numbers: list[int] = []
        values: list[Any] = []
        for number, value, fault in rows:
            found = None
            if not fault:
                found, fault = self._value(value)
            if fault:
                self.refusals.add(number, fault)
            else:
                numbers.append(number)
                values.append(found)
        if not numbers:
            return
        if self._kind == "text":
            yield Block(numbers, texts=values)
        else:
            yield self._usable(numbers, np.stack(values))

    def _value(self, row: Any) -> tuple[Any, str]:
        """A text or a vector, and why it is none. All rows of a file are of the kind of its first good one."""
        vector = isinstance(row, dict) and row.get(VECTORS) is not None
        kind = "vector" if vector else "text"
        value, fault = self._vector(row[VECTORS]) if vector else self._text(row)
        if not fault and self._kind not in (None, kind):
            return None, f"it is a {kind}, and the rows before are {self._kind}s"
        if not fault:
            self._kind = kind
        return value, fault

    def _text(self, row: Any) -> tuple[str | None, str]:
        text = row.get(self._field) if isinstance(row, dict) else row
        if not isinstance(text, str):
            return None, f"no text under '{self._field}' and no vector under '{VECTORS}'"
        return (text, "") if text.strip() else (None, "the text is empty")

    def _vector(self, value: Any) -> tuple[Floats | None, str]:
        try:
            with np.errstate(over="ignore"):
                vector = np.asarray(value, dtype=np.float64).astype(np.float32)
        except (TypeError, ValueError):
            return None, f"'{VECTORS}' is no list of numbers"
        if vector.ndim != 1 or not len(vector):
            return None, f"'{VECTORS}' is no list of numbers"
        if self._width is None:
            self._width = self._checked_width(len(vector))
        if len(vector) != self._width:
            return None, f"{len(vector)} numbers instead of {self._width}"
        return vector, ""

    def _checked_width(self, width: int) -> int:
        if not 2 <= width <= WIDEST:
            raise SettingsError(f"The vectors of {self._path} have {width} numbers: 2 to {WIDEST} can be reduced.")
        return width

    def _usable(self, numbers: Sequence[int], vectors: Floats) -> Block:
        """The block without vectors that have no direction."""
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        good = finite & (np.abs(vectors).max(axis=1, initial=0) > 0)
        for place in np.flatnonzero(~good).tolist():
            self.refusals.add(numbers[place], "all numbers are 0" if finite[place] else "NaN or infinity")
        return Block([numbers[place] for place in np.flatnonzero(good).tolist()], vectors=vectors[good])


_READERS = {
    ".jsonl": Rows._read_lines,
    ".parquet": Rows._read_parquet,
    ".npy": Rows._read_array,
}


def kind_of(path: Path, field: str) -> Literal["text", "vector"] | None:
    """Of the file's first good row; None where it has none. Raises as `Rows` does."""
    block = next(iter(Rows(path, field)), None)
    if block is None:
        return None
    return "vector" if block.texts is None else "text"
