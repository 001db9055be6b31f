"""Writing a reduction's folder: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import save_file

from embedway.errors import SettingsError
from embedway.models.reduction import CARD, TENSORS, Card
from embedway.reduce.components import Map


def write_artefact(folder: Path, card: Card, mapped: Map) -> None:
    """Equal cards and maps give equal files. A reduction that is there is replaced; any other folder is left alone.

    Raises `SettingsError` where the folder cannot be written.
    """
    check_target(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            tensors = {
                "components": np.ascontiguousarray(mapped.components, dtype=np.float32),
                "shift": np.ascontiguousarray(mapped.shift, dtype=np.float32),
            }
            save_file(tensors, made / TENSORS)
            (made / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
            made.chmod(0o755)
            _put(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}.") from error


def _put(made: Path, folder: Path) -> None:
    """Move the new folder to its place. What was there stays beside it until then, and comes back on an error."""
    former = made.with_name(f"{made.name}.former")
    if folder.exists():
        os.rename(folder, former)
    try:
        os.rename(made, folder)
    except OSError:
        if former.exists():
            os.rename(former, folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


def check_target(folder: Path) -> None:
    """Raise `SettingsError` for a place where something else lies: it would be lost."""
    if folder.exists() and not (folder.is_dir() and {one.name for one in folder.iterdir()} <= {CARD, TENSORS}):
        raise SettingsError(f"{folder} holds something else than a reduction: choose another --output.")
