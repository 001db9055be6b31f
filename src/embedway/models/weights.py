"""Tensors by name from the safetensors files of a model folder, mapped into memory rather than read.

A tensor whose numbers are used as they are stored is a view of the file: its memory is the system's page cache, shared
by all processes that serve the model, and given back under pressure. The files must not be written while they are
served; a new version belongs in a new file, as the hub's own cache has it.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from embedway.errors import ModelFilesError
from embedway.models.bundled import weights_header
from embedway.models.pickled import read_tensors

KINDS: Mapping[str, npt.DTypeLike] = MappingProxyType(
    {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
)
"""The number formats that are read, by their names in the file."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies: `begin` counts bytes from the start of the file."""

    file: mmap.mmap
    kind: str
    shape: tuple[int, ...]
    begin: int


class Weights:
    """A model's tensors.

    The first of `prefixes` that the names have is put before a name that is not there without: a checkpoint saved from
    a task model carries its encoder as `bert.…`, one saved from the bare encoder does not. `mounts` are further files,
    whose names get what they are mounted under and a dot before them.
    """

    def __init__(
        self, files: Sequence[Path], prefixes: Sequence[str] = (), mounts: Mapping[str, Path] = MappingProxyType({})
    ) -> None:
        self._where: dict[str, _Place] = {}
        self._few: dict[str, npt.NDArray[np.float32]] = {}
        for path in files:
            self._where.update(_places(path))
        for name, path in mounts.items():
            if path.suffix == ".safetensors":
                self._where.update({f"{name}.{key}": place for key, place in _places(path).items()})
            else:
                self._few.update({f"{name}.{key}": tensor for key, tensor in read_tensors(path).items()})
        self._prefix = next((p for p in prefixes if any(name.startswith(p) for name in self._where)), "")

    def __contains__(self, name: str) -> bool:
        return name in self._few or self._full(name) in self._where

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.float32]:
        """The tensor as float32. Raises `ModelFilesError` when it is absent, not of `shape`, or of an unknown kind."""
        return np.ascontiguousarray(self.stored(name, shape), dtype=np.float32)

    def stored(self, name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[Any]:
        """The tensor in the format of the file, without a copy. Raises as `tensor` does."""
        full = self._full(name)
        place = self._where.get(full)
        if name in self._few:
            self._check_shape(name, self._few[name].shape, shape)
            return self._few[name]
        if place is None:
            raise ModelFilesError(
                f"The weights hold no tensor '{full}': the file is not complete, or of another family."
            )
        self._check_shape(full, place.shape, shape)
        if place.kind not in KINDS:
            raise ModelFilesError(
                f"The tensor '{full}' is stored as {place.kind}, which is not supported; use weights in "
                f"{', '.join(KINDS)}."
            )
        return np.frombuffer(place.file, KINDS[place.kind], math.prod(place.shape), place.begin).reshape(place.shape)

    def release(self) -> None:
        """Let go of the pages that were read so far; who still uses a view of the file reads them again."""
        for file in {id(place.file): place.file for place in self._where.values()}.values():
            if hasattr(file, "madvise"):  # not on Windows
                file.madvise(mmap.MADV_DONTNEED)

    def _check_shape(self, name: str, found: tuple[int, ...], wanted: tuple[int, ...] | None) -> None:
        if wanted is not None and found != wanted:
            raise ModelFilesError(
                f"The tensor '{name}' has shape {list(found)}, but the config asks for {list(wanted)}."
            )

    def _full(self, name: str) -> str:
        return name if name in self._where else self._prefix + name


def _places(path: Path) -> dict[str, _Place]:
    """The tensors of one file. Raises `ModelFilesError` for a damaged one."""
    header = weights_header(path)
    try:
        with path.open("rb") as file:
            # Private to the process: OpenVINO takes only memory that could be written, and never writes it.
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        named = {name: told for name, told in json.loads(header).items() if name != "__metadata__"}
        return {name: _place(mapping, told, 8 + len(header)) for name, told in named.items()}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelFilesError(f"{path} is damaged ({error}): fetch it again.") from error


def _place(mapping: mmap.mmap, told: Mapping[str, Any], start: int) -> _Place:
    begin, end = told["data_offsets"]
    shape = tuple(int(extent) for extent in told["shape"])
    expected = math.prod(shape) * np.dtype(KINDS[told["dtype"]]).itemsize if told["dtype"] in KINDS else end - begin
    if begin < 0 or end - begin != expected or start + end > len(mapping) or min(shape, default=0) < 0:
        raise ValueError("a tensor has more or fewer numbers than its shape")
    return _Place(mapping, told["dtype"], shape, start + begin)
