"""A case: a tiny model's folder, written down so that NumPy alone can make it again, and the reference's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .weights import read_shapes, write_weights

CASES = Path(__file__).with_name("cases")
TOKENIZERS = Path(__file__).with_name("tokenizers")


@dataclass(frozen=True)
class Case:
    """`files` are the folder's JSON files by path, without the tokenizer's, and what else is text, as it stands;
    `weights` the tensors' shapes by file.
    """

    name: str
    tokenizer: str
    dtype: str
    files: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, list[int]]]

    def write(self, folder: Path) -> Path:
        """Make the folder."""
        for path, content in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / path).write_text(text, encoding="utf-8")
        (folder / "tokenizer.json").write_bytes((TOKENIZERS / f"{self.tokenizer}.json").read_bytes())
        vocabulary = vocabulary_size(self.files["config.json"])
        for path, shapes in self.weights.items():
            write_weights(folder / path, shapes, vocabulary, self.dtype)
        return folder

    def save(self) -> None:
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        (CASES / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")


def freeze(name: str, folder: Path, tokenizer: str, dtype: str = "float32") -> Case:
    """Write down a folder that the library saved."""
    files = {
        path.relative_to(folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.json"))
        if path.name not in ("tokenizer.json", "vocab.json", "special_tokens_map.json")
    }
    for path in folder.rglob("*"):
        if path.suffix in (".jinja", ".metadata"):
            files[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
    weights = {path.relative_to(folder).as_posix(): read_shapes(path) for path in sorted(folder.rglob("*.safetensors"))}
    return Case(name, tokenizer, dtype, files, weights)


def load(name: str) -> Case:
    """A committed case."""
    return Case(**json.loads((CASES / f"{name}.json").read_text(encoding="utf-8")))


def names() -> list[str]:
    """Every committed case."""
    return sorted(path.stem for path in CASES.glob("*.json"))


def answers(name: str) -> dict[str, npt.NDArray[Any]]:
    """What the reference library answered."""
    with np.load(CASES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def vocabulary_size(config: Mapping[str, Any]) -> int:
    """Of the text network, wherever the config keeps it."""
    return int(config.get("vocab_size") or config.get("text_config", {}).get("vocab_size", 0))
