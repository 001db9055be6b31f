"""Reading the JSON files of a model folder."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from embedway.errors import ModelFilesError, UnsupportedModel

T = TypeVar("T")


def read_json(path: Path, kind: type[T]) -> T:
    """A JSON file as `kind`; keys that `kind` does not name are left out. Raises `ModelFilesError` naming the file."""
    try:
        return msgspec.convert(json.loads(path.read_bytes()), kind)
    except OSError as error:
        raise ModelFilesError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelFilesError(f"{path} is damaged or not what is expected: {error}.") from error


def read_optional(path: Path, kind: type[T]) -> T:
    """A JSON file as `kind`, or `kind()` where there is no such file."""
    return read_json(path, kind) if path.is_file() else kind()


def unsupported(folder: Path, reason: str) -> UnsupportedModel:
    """The error of a model that is whole but needs what Embedway does not do."""
    return UnsupportedModel(f"The model in {folder} is not supported yet: {reason}.")


def subfolder(folder: Path, path: str) -> Path:
    """A module's folder. Raises `ModelFilesError` for one outside the model's."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ModelFilesError(f"{folder / 'modules.json'} names {path!r}, which is not inside the model's folder.")
    return folder / path
