"""What a training is asked to be: the parameters that the platform's API carries as texts, checked.

The platform documents neither names nor forms of them; those here are Embedway's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedway.errors import InvalidInput
from embedway.models.reduction import WIDEST

MOST_STEPS = 20_000
INLINE = ("vectors", "texts")
"""JSON lines with the request itself: arrays of numbers; texts, or objects that hold them."""
SOURCES = ("data", *INLINE)
"""Where rows come from: one of these is given."""
KNOWN = (*SOURCES, "output_dimension", "base_model", "field", "method", "whiten", "steps", "seed")
_FIELD = "$.createParameters"
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Plan:
    """One of `data`, a file's path below the folder for such files, and `inline` names where the rows come from."""

    data: str | None
    inline: str | None
    dimension: int
    base_model: str | None
    field: str
    method: str
    whiten: bool
    steps: int
    seed: int


def read_plan(given: Mapping[str, str]) -> Plan:
    """Raises `InvalidInput`."""
    unknown = sorted(set(given) - set(KNOWN))
    if unknown:
        raise InvalidInput(f"createParameters are {', '.join(KNOWN)}.", _FIELD)
    sources = [name for name in SOURCES if name in given]
    if len(sources) != 1 or not given[sources[0]]:
        raise InvalidInput(
            f"createParameters must have one of {', '.join(SOURCES)}: what the reduction is trained on.", _FIELD
        )
    if "output_dimension" not in given:
        raise InvalidInput("createParameters must have output_dimension.", _FIELD)
    if sources[0] == "texts" and not given.get("base_model"):
        raise InvalidInput("Texts need base_model, the model that embeds them.", _FIELD)
    method, whiten = given.get("method", "nested"), given.get("whiten", "false")
    if method not in ("nested", "pca") or whiten not in ("true", "false"):
        raise InvalidInput("method is nested or pca, and whiten true or false.", _FIELD)
    if whiten == "true" and method != "pca":
        raise InvalidInput("whiten belongs to the method pca: nested finds its own scales.", _FIELD)
    return Plan(
        data=given.get("data") or None,
        inline=None if sources[0] == "data" else sources[0],
        dimension=_whole(given, "output_dimension", "", 1, WIDEST),
        base_model=given.get("base_model") or None,
        field=given.get("field") or "text",
        method=method,
        whiten=whiten == "true",
        steps=_whole(given, "steps", "1500", 1, MOST_STEPS),
        seed=_whole(given, "seed", "0", 0, 999_999_999),
    )


def merge(old: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The stored parameters with those that are given anew. Rows from elsewhere replace the old ones.

    Raises `InvalidInput`.
    """
    kept = {name: value for name, value in old.items() if name not in SOURCES or not set(given) & set(SOURCES)}
    found = {**kept, **given}
    read_plan(restored(found) if kept.keys() & set(INLINE) else found)
    return found


def restored(parameters: Mapping[str, str]) -> dict[str, str]:
    """Stored parameters as they can be read: the rows of a request are kept apart, and a mark is in their place."""
    return {**parameters, **{name: "-" for name in INLINE if name in parameters}}


def find_data(root: str | None, path: str) -> Path:
    """The file below `root` that a path names, links followed. Raises `InvalidInput` for what is not there, and for
    what lies elsewhere, in the same words: nobody learns what files there are.
    """
    if root is None:
        raise InvalidInput("This server names no folder for data (tuning_data_dir): send vectors or texts.", _FIELD)
    try:
        folder = Path(root).resolve(strict=True)
        found = (folder / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = folder = Path()
    if found == folder or not found.is_relative_to(folder) or not found.is_file():
        raise InvalidInput(f"data names no file below the server's folder for data: '{path[:200]}'.", _FIELD)
    if found.suffix not in (".jsonl", ".parquet", ".npy"):
        raise InvalidInput("data must end in .jsonl, .parquet or .npy: other files are not read.", _FIELD)
    return found


def inline_rows(kind: str, text: str) -> bytes:
    """The rows that came with a request, as the file of JSON lines that is trained on. One that is no JSON stays so,
    and is refused with its number.
    """
    if kind == "texts":
        return text.encode("utf-8", "replace")
    lines = (line.encode("utf-8", "replace") for line in text.split("\n"))
    return b"\n".join(b'{"embedding":' + line + b"}" if line.strip() else line for line in lines)


def _whole(given: Mapping[str, str], name: str, default: str, least: int, most: int) -> int:
    text = given.get(name, default)
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidInput(f"{name} is a whole number from {least} to {most}, as a text.", _FIELD)
    return int(text)
