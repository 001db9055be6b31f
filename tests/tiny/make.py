"""Make the committed cases anew, all or those named. See the package's docstring."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from . import case
from .builders import builders
from .builders.builder import Builder
from .reference import ANSWERS


def build(builder: Builder, folder: Path) -> case.Case:
    """Run a builder, and put the repeatable numbers into the weights it saved."""
    builder.build(folder)
    frozen = case.freeze(builder.name, folder, builder.tokenizer, builder.dtype)
    frozen.write(folder)
    return frozen


def main() -> None:
    chosen = sys.argv[1:] or list(builders())
    for name in chosen:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "model"
            frozen = build(builders()[name], folder)
            arrays = ANSWERS[builders()[name].task](folder)
            frozen.save()
            with (case.CASES / f"{name}.npz").open("wb") as file:
                np.savez_compressed(file, **arrays)
        print(f"{name}: {', '.join(f'{key} {list(value.shape)}' for key, value in arrays.items())}")


if __name__ == "__main__":
    main()
