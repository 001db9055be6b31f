"""`embedway pull`: fetch models before they are served."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.models.recipe import read_recipe
from embedway.models.source import find_model
from embedway.types import ModelSpec


def pull(names: Sequence[str], revision: str | None) -> list[str]:
    """Find or download each model; one line for each on what it is and where it lies.

    A download that was cut off goes on where it stopped, and large files must have the digest that the hub gives for
    them. Raises `ModelFilesError` for the first that cannot be had or read.
    """
    told = []
    for name in names:
        files = find_model(name, revision)
        recipe = read_recipe(files, ModelSpec(name, name, revision=revision))
        gives = f"{recipe.dimensions} dimensions" if recipe.dimensions else "scores"
        told.append(
            f"{name}: {recipe.family}, {gives}, {recipe.max_tokens} tokens, revision {files.revision}, {files.folder}"
        )
    return told
