"""Tensors by name from the safetensors files of a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import ml_dtypes  # noqa: F401 -- teaches NumPy the name "bfloat16", which safetensors asks for
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from embedway.errors import ModelFilesError


class Weights:
    """A model's tensors, read one at a time when asked for.

    The first of `prefixes` that the names have is put before a name that is not there without: a checkpoint saved from
    a task model carries its encoder as `bert.…`, one saved from the bare encoder does not.
    """

    def __init__(self, files: Sequence[Path], prefixes: Sequence[str] = ()) -> None:
        self._files: list[Any] = []
        self._where: dict[str, Any] = {}
        for path in files:
            try:
                self._files.append(safe_open(path, framework="np"))
            except (SafetensorError, OSError) as error:
                raise ModelFilesError(f"{path} is damaged or cut short ({error}): fetch it again.") from error
            self._where.update(dict.fromkeys(self._files[-1].keys(), self._files[-1]))
        self._prefix = next((p for p in prefixes if any(name.startswith(p) for name in self._where)), "")

    def __contains__(self, name: str) -> bool:
        return self._full(name) in self._where

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.float32]:
        """The tensor as float32. Raises `ModelFilesError` when it is absent or not of `shape`."""
        full = self._full(name)
        if full not in self._where:
            raise ModelFilesError(
                f"The weights hold no tensor '{full}': the file is not complete, or of another family."
            )
        array: npt.NDArray[Any] = self._where[full].get_tensor(full)
        if shape is not None and array.shape != shape:
            raise ModelFilesError(
                f"The tensor '{full}' has shape {list(array.shape)}, but the config asks for {list(shape)}."
            )
        return np.ascontiguousarray(array, dtype=np.float32)

    def _full(self, name: str) -> str:
        return name if name in self._where else self._prefix + name

    def __enter__(self) -> Weights:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._where.clear()
        self._files.clear()
