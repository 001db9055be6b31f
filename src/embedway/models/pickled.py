"""Tensors from a file that `torch.save` wrote, without torch and without running what the file says.

The format: a zip archive whose `data.pkl` is a pickle of the objects, in which each tensor's numbers are a persistent
reference to another member. A pickle can name any function to call; this reader knows five names, calls none of the
file's, and refuses the rest. For the small heads that some models keep in this form; weights proper are safetensors.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from embedway.errors import ModelFilesError

MAX_BYTES = 256 * 2**20
"""Of one archive member: heads are a few megabytes."""

_STORAGES: dict[str, npt.DTypeLike] = {
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "DoubleStorage": np.float64,
}


class _Kind(NamedTuple):
    """Stands for a storage class of torch."""

    dtype: npt.DTypeLike


def read_tensors(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a state dict by name, as float32. Raises `ModelFilesError` for whatever else the file holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((one for one in archive.namelist() if one.rpartition("/")[2] == "data.pkl"), None)
            if name is None:
                raise ModelFilesError(f"{path} is not a file of torch.save.")
            found = _Reader(archive, name.removesuffix("data.pkl"), _member(archive, name)).load()
    except (OSError, zipfile.BadZipFile, pickle.UnpicklingError, ValueError, LookupError, TypeError, EOFError) as error:
        raise ModelFilesError(f"{path} cannot be read as tensors alone ({error}).") from error
    if not isinstance(found, dict) or not all(isinstance(value, np.ndarray) for value in found.values()):
        raise ModelFilesError(f"{path} holds something else than tensors by name.")
    return {str(key): np.ascontiguousarray(value, dtype=np.float32) for key, value in found.items()}


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


class _Reader(pickle.Unpickler):
    """Knows tensors, storages and dictionaries; `find_class` is the only way to anything else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return _Kind(_STORAGES[name])
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> npt.NDArray[Any]:
        """`("storage", kind, key, device, count)` -> its numbers."""
        word, kind, key, _, count = pid
        if word != "storage" or not isinstance(kind, _Kind) or not str(key).isalnum():
            raise pickle.UnpicklingError("it refers to something else than a storage")
        return np.frombuffer(_member(self._archive, f"{self._folder}data/{key}"), kind.dtype, int(count))


def _tensor(storage: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *rest: Any) -> Any:
    """A tensor's part of its storage. Only whole, ordered ones: nobody saves a head otherwise."""
    wanted = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if not isinstance(storage, np.ndarray) or tuple(strides) != wanted or offset < 0:
        raise ValueError("a tensor is not laid out in order")
    return storage[offset : offset + math.prod(shape)].reshape(shape)
