"""Where a model's files come from: a local folder, an installed package, the model cache, the hub, in this order.

Weights are read from safetensors files only: pickled weights can run code when they are opened, so they are neither
opened nor downloaded. The hub's own settings hold: HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and its time limits.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from embedway.errors import ModelFilesError
from embedway.models.bundled import Bundled, bundled, differing, file_sha256, weights_fingerprint, weights_header
from embedway.models.folder import read_json
from embedway.models.services import SERVICES, weights_of

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # the hub's library reads it when it is imported, below

Origin = Literal["folder", "package", "cache", "hub"]

CONFIG = "config.json"
MODULES = "modules.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
DESCRIPTIONS = [
    CONFIG,
    MODULES,
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "[0-9]*_*/config.json",
    "[0-9]*_*/model.safetensors",
    "sparse_linear.*",
    "colbert_linear.*",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "artifact.metadata",
]
"""Patterns of the files beside the network's weights that say how a vector is made."""

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder with a model in it. `revision` is the hub's commit, or for a local folder a digest of its files."""

    folder: Path
    origin: Origin
    revision: str

    def weights(self) -> tuple[Path, ...]:
        """The safetensors file, or its shards in order. Raises `ModelFilesError` where one is missing."""
        if (self.folder / WEIGHTS).is_file():
            return (self.folder / WEIGHTS,)
        if (self.folder / INDEX).is_file():
            return shards(self.folder / INDEX)
        raise without_weights(str(self.folder), [path.name for path in self.folder.iterdir()])


@dataclass(eq=False)
class _HubError(Exception):
    """The hub did not give the model: why, and what can be done about it. Never leaves this module."""

    why: str
    remedy: str
    note: str = ""


def find_model(source: str, revision: str | None = None) -> ModelFiles:
    """Find the files of the model that `source` names: a folder, a bundled name, a hub id, or a service's id, which
    stands for the weights that are believed to be behind it.

    `revision` is a commit, branch or tag of the hub. A bundled name without one means the published revision, and its
    files must have the published digests wherever they come from; with another one it is an ordinary hub id.
    Raises `ModelFilesError`: found nowhere, incomplete, damaged, or in a form that is not read.
    """
    place = Path(os.path.expanduser(source))
    if source and place.is_dir():
        return from_folder(place, revision)
    if place.is_file():
        raise ModelFilesError(f"{place} is a file; give the folder that holds the model's {CONFIG} and {WEIGHTS}.")
    if not HUB_ID.fullmatch(source):
        raise ModelFilesError(f"There is no folder {source!r}, and it cannot be the name of a model on the hub.")
    if source in SERVICES:
        source = weights_of(SERVICES[source])
    known = bundled(source)
    pinned = known if known and revision in (None, known.revision) else None
    repository, wanted = known.repository if known else source, revision or "main"
    try:
        files = from_bundle(pinned) if pinned else from_cache(repository, wanted) or from_hub(repository, wanted)
    except _HubError as error:
        raise nowhere(source, pinned, error) from error
    return checked(files)


def from_folder(folder: Path, revision: str | None) -> ModelFiles:
    """A local folder's model. Raises `ModelFilesError` when a revision is asked for: a folder has none to choose."""
    if revision is not None:
        raise ModelFilesError(f"A revision ({revision!r}) is of the hub, but {folder} is a local folder; leave it out.")
    files = checked(ModelFiles(folder, "folder", ""))
    return ModelFiles(folder, "folder", folder_digest(files))


def from_bundle(model: Bundled) -> ModelFiles:
    """A bundled model from its package, the cache or the hub, with the same digests everywhere."""
    if folder := model.package_folder():
        model.verify_package(folder)
        return ModelFiles(folder, "package", model.revision)
    note = ""
    for revision in (model.revision, "main"):
        files = from_cache(model.repository, revision)
        if files and (name := differing(files.folder, model.digests)):
            note = f"the copy in the model cache has another {name} than the published one"
        elif files:
            return files
    try:
        # A mirror of the hub may not have that commit; then what it has, since the digests decide.
        files = from_hub(model.repository, model.revision, otherwise="main")
    except _HubError as error:
        error.note = note
        raise
    if name := differing(files.folder, model.digests):
        remedy = f"remove {files.folder} and start again, or run `{model.install}`"
        raise ModelFilesError(f"{files.folder / name} is not the published file; {remedy}.")
    return files


def from_cache(repository: str, revision: str) -> ModelFiles | None:
    """The snapshot of `revision` in the model cache, or None when it is not there or not whole; asks nobody."""
    from huggingface_hub import _CACHED_NO_EXIST, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        # The library itself knows whether a snapshot is whole that it fetched as a whole; of others `whole` judges.
        folder = Path(
            snapshot_download(repository, revision=revision, local_files_only=True, allow_patterns=DESCRIPTIONS)
        )
    except LocalEntryNotFoundError:
        return None
    files = ModelFiles(folder, "cache", folder.name)
    absent = try_to_load_from_cache(repository, MODULES, revision=files.revision) is _CACHED_NO_EXIST
    # `.gitattributes` comes only with a whole repository, so what is not there does not exist.
    return files if whole(files, bare=absent or (files.folder / ".gitattributes").is_file()) else None


def whole(files: ModelFiles, *, bare: bool) -> bool:
    """Whether a snapshot has what its vectors depend on; `bare` says that it is known to have no `modules.json`.

    Other libraries cache what they need, file by file. Without `modules.json` and what it names a model would still
    load, with another pooling or without normalisation: wrong vectors, in silence. So in doubt it is not whole.
    """
    needed = [CONFIG, "tokenizer.json", *([] if bare else [MODULES])]
    if (files.folder / MODULES).is_file():
        modules = read_json(files.folder / MODULES, list[dict[str, Any]])
        for module in modules:
            kind, path = str(module.get("type")).rpartition(".")[2], module.get("path")
            needed += [f"{path}/{CONFIG}"] if kind in ("Pooling", "Dense") else []
            needed += [f"{path}/{WEIGHTS}"] if kind == "Dense" else []
    try:
        files.weights()
    except ModelFilesError:
        return False
    return all((files.folder / name).is_file() for name in needed)


def from_hub(repository: str, revision: str, otherwise: str | None = None) -> ModelFiles:
    """Download a model into the model cache, with the library's progress bar. Raises `_HubError`, `ModelFilesError`.

    `otherwise` is the revision that is taken where `revision` does not exist.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        info = HfApi().model_info(repository, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        folder = download(repository, revision, [sibling.rfilename for sibling in info.siblings or ()])
    except ModelFilesError:
        raise
    except Exception as error:  # what the library uses for HTTP has errors of its own: no common base
        if otherwise and isinstance(error, RevisionNotFoundError):
            return from_hub(repository, otherwise)
        raise explained(error) from error
    return ModelFiles(folder, "hub", folder.name)


def download(repository: str, revision: str, names: Sequence[str]) -> Path:
    """Fetch what is needed of a repository's files `names` and return the snapshot's folder.

    Each file on its own, not `snapshot_download`: that one lists the repository without any time limit. The weights
    come last, so that a download that was cut short never looks whole.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    if CONFIG not in names:
        raise ModelFilesError(f"{repository} on the hub has no {CONFIG}, so it is not a model that Embedway can read.")
    weights = chosen_weights(repository, names)
    # By the revision's own name, so that the cache remembers which commit it stands for.
    folder = Path(hf_hub_download(repository, CONFIG, revision=revision)).parent
    described = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in DESCRIPTIONS)]
    for name in (*described, *weights):
        check_digest(Path(hf_hub_download(repository, name, revision=folder.name)))
    if MODULES not in names:
        with suppress(EntryNotFoundError):  # asked for, so that the cache remembers that there is none
            hf_hub_download(repository, MODULES, revision=folder.name)
    return folder


def check_digest(path: Path) -> None:
    """Raise `ModelFilesError`, and throw the file away, where a large file is not the one that the hub described.

    The hub's library looks at lengths alone, but keeps each large file under its SHA-256 as the hub gave it.
    """
    kept = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", kept.name) and file_sha256(kept) != kept.name:
        path.unlink()
        kept.unlink(missing_ok=True)
        raise ModelFilesError(f"{path.name} did not arrive as the hub has it (another SHA-256): fetch it again.")


def chosen_weights(repository: str, names: Sequence[str]) -> list[str]:
    """Which weight files to fetch, as the libraries choose: the single file, else the index and its shards."""
    if WEIGHTS in names:
        return [WEIGHTS]
    if INDEX in names:
        return [*fnmatch.filter(names, "model-*-of-*.safetensors"), INDEX]
    raise without_weights(f"{repository} on the hub", names)


def explained(error: Exception) -> _HubError:
    """What the hub's library raised, as a reason and a remedy."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return _HubError("HF_HUB_OFFLINE is set, so the hub was not asked", "unset HF_HUB_OFFLINE")
    if isinstance(error, errors.GatedRepoError):
        remedy = "accept its terms on the hub and set HF_TOKEN to a token of that account"
        return _HubError("the hub gives it only to those who accepted its terms", remedy)
    if isinstance(error, errors.RevisionNotFoundError):
        return _HubError("the hub has the model but not this revision", "check the revision")
    if isinstance(error, errors.RepositoryNotFoundError):
        remedy = "check its name, or set HF_TOKEN if it is private"
        return _HubError("the hub has no such model or does not show it", remedy)
    cause = error.__cause__ or error
    why, remedy = str(cause).strip().partition("\n")[0], "check the network and HF_ENDPOINT and try again"
    return _HubError(f"the hub at {constants.ENDPOINT} did not give it ({type(cause).__name__}: {why})", remedy)


def nowhere(source: str, model: Bundled | None, error: _HubError) -> ModelFilesError:
    """The error of a model that was found in none of the places."""
    from huggingface_hub import constants

    cache = error.note or f"no whole copy is in the model cache {constants.HF_HUB_CACHE}"
    package, install = (f"no package {model.distribution}, ", f"run `{model.install}`, ") if model else ("", "")
    return ModelFilesError(
        f"The model {source!r} cannot be loaded: there is no folder of that name, {package}{cache}, and {error.why}; "
        f"{install}{error.remedy}, or give a folder as source."
    )


def without_weights(where: str, names: Iterable[str]) -> ModelFilesError:
    """The error of a model that has no safetensors weights, told apart by what it has instead."""
    pickled = sorted(name for name in names if name.endswith(PICKLED))
    if not pickled:
        return ModelFilesError(f"{where} has no {WEIGHTS}, nor {INDEX} with its shards.")
    return ModelFilesError(
        f"{where} has pickled weights only ({pickled[0]}), which are refused because opening them can run code; if you "
        'trust them, convert them once with sentence-transformers, `SentenceTransformer("…").save("folder")`, and give '
        "that folder as source."
    )


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def shards(index: Path) -> tuple[Path, ...]:
    """The files that an index of sharded weights names. Raises `ModelFilesError` when one is missing."""
    names = sorted(set(read_json(index, _Index).weight_map.values()))
    if not names:
        raise ModelFilesError(f"{index} names no weights; fetch the model again.")
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelFilesError(f"{index} names {name!r}, which is not a safetensors file beside it.")
        if not (index.parent / name).is_file():
            raise ModelFilesError(f"{index.parent} lacks {name}, a shard of its weights; fetch the model again.")
    return tuple(index.parent / name for name in names)


def checked(files: ModelFiles) -> ModelFiles:
    """The same files. Raises `ModelFilesError` unless there are a `config.json` and weights that are not cut short."""
    if not (files.folder / CONFIG).is_file():
        raise ModelFilesError(f"{files.folder} has no {CONFIG}; give the folder that holds it and the model's weights.")
    for path in files.weights():
        weights_header(path)
    return files


def folder_digest(files: ModelFiles) -> str:
    """16 hexadecimal digits that change when a file of the model does (see `weights_fingerprint` for the weights)."""
    described = sorted({path for pattern in DESCRIPTIONS for path in files.folder.glob(pattern) if path.is_file()})
    lines = [f"{path.relative_to(files.folder).as_posix()} {file_sha256(path)}" for path in described]
    lines += [f"{path.name} {weights_fingerprint(path)}" for path in files.weights()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
