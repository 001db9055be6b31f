"""Network families by the `model_type` of config.json."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from embedway.errors import ModelFilesError
from embedway.models.families import bert

FAMILIES: Mapping[str, ModuleType] = {"bert": bert}
"""Each module has `PREFIXES`, `check(config)` and `encode(ops, config, tokens)`."""


def find_family(name: str) -> ModuleType:
    """The family's module. Raises `ModelFilesError` for one that is not written here."""
    if name not in FAMILIES:
        raise ModelFilesError(
            f"The architecture '{name}' is not supported; supported are {', '.join(sorted(FAMILIES))}."
        )
    return FAMILIES[name]
