"""From a model's entry to its backend; each backend's libraries are imported only when it is opened."""

from __future__ import annotations

import logging
import math
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embedway.backends.base import Backend
from embedway.errors import SettingsError, UnsupportedModel
from embedway.models.families import find_family
from embedway.models.folder import read_json
from embedway.models.recipe import read_recipe
from embedway.models.services import SERVICES, check_fits
from embedway.models.source import CONFIG, ModelFiles, find_model
from embedway.models.vision import read_vision, sees_images
from embedway.types import BackendName, Facts, ModelSpec

log = logging.getLogger(__name__)


def open_backend(spec: ModelSpec, threads: int | None = None) -> Backend:
    """Find the files, read the recipe, build and compile. Raises `SetupError` with the reason when that cannot be done.

    `threads` defaults to the processors this process may use.
    """
    backend = _open(spec, threads or available_cpus())
    if spec.reduction is not None:
        backend = _reduce(backend, spec.reduction, spec.name)
    check_service_names(spec, backend.facts)
    return backend


def check_service_names(spec: ModelSpec, facts: Facts) -> None:
    """Raise `SetupError` where a model that is no stand-in has the id of a service that it does not fit."""
    for name in () if spec.stand_in else (spec.name, *spec.aliases):
        if name in SERVICES:
            check_fits(SERVICES[name], facts.dimensions, facts.max_tokens)


def _open(spec: ModelSpec, threads: int) -> Backend:
    if spec.remote is not None:
        from embedway.backends.remote import RemoteBackend

        return RemoteBackend(spec)
    if spec.source.partition(":")[0] == "fake":
        from embedway.backends.fake import FakeBackend

        return FakeBackend(spec)
    files = find_model(spec.source, spec.revision)
    chosen = choose_backend(spec)
    if chosen == "sentence":
        return _open_sentence(files, spec, threads)
    try:
        return _open_family(files, spec, chosen, threads)
    except UnsupportedModel as error:
        if spec.backend != "auto":
            raise
        refused = error.message
    return _fall_back(files, spec, threads, refused)  # out of the except block: the error's frames hold weights


def _reduce(base: Backend, folder: str, model: str) -> Backend:
    from embedway.backends.reduced import open_reduced

    return open_reduced(base, folder, model)


def _open_family(files: ModelFiles, spec: ModelSpec, chosen: BackendName, threads: int) -> Backend:
    if sees_images(files):
        return _open_vision(files, spec, chosen, threads)
    named = read_json(files.folder / CONFIG, dict[str, Any]).get("model_type")
    if isinstance(named, str):
        find_family(named)  # first: of an unknown network, the recipe would miss what it has under other names
    recipe = read_recipe(files, spec)
    if chosen == "torch":
        from embedway.backends.torch import TorchBackend

        return TorchBackend(files, recipe, spec, threads)
    from embedway.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(files, recipe, spec, threads)


def _open_vision(files: ModelFiles, spec: ModelSpec, chosen: BackendName, threads: int) -> Backend:
    recipe = read_vision(files, spec)
    if chosen == "torch":
        from embedway.backends.torch_vision import TorchVisionBackend

        return TorchVisionBackend(files, recipe, spec, threads)
    from embedway.backends.openvino_vision import OpenVinoVisionBackend

    return OpenVinoVisionBackend(files, recipe, spec, threads)


def _fall_back(files: ModelFiles, spec: ModelSpec, threads: int, reason: str) -> Backend:
    """What no family covers is the library's, of whatever kind it is, where that is installed."""
    if find_spec("sentence_transformers") is None:
        said = reason.rstrip(".")
        raise UnsupportedModel(f"{said}; if sentence-transformers can run it, install embedway[sentence].")
    log.info("Model '%s' is run by sentence-transformers: %s", spec.name, reason)
    return _open_sentence(files, spec, threads)


def _open_sentence(files: ModelFiles, spec: ModelSpec, threads: int) -> Backend:
    if find_spec("sentence_transformers") is None:
        raise SettingsError(f"The backend sentence of '{spec.name}' is not installed: install embedway[sentence].")
    from embedway.backends.sentence import open_sentence

    return open_sentence(files, spec, threads)


def choose_backend(spec: ModelSpec) -> BackendName:
    """What runs a family: torch where a GPU is asked for, or is there; else OpenVINO.

    Raises `SettingsError` for torch where it is not installed, and for OpenVINO on a GPU.
    """
    gpu = spec.device.startswith("cuda")
    if spec.backend == "openvino" and gpu:
        raise SettingsError(
            f"OpenVINO runs '{spec.name}' on the CPU only: for {spec.device}, choose the backend torch."
        )
    installed = find_spec("torch") is not None
    if (spec.backend == "torch" or gpu) and not installed:
        raise SettingsError(f"The model '{spec.name}' needs torch, which is not installed: install embedway[torch].")
    if spec.backend != "auto":
        return spec.backend
    return "torch" if gpu or (spec.device == "auto" and installed and _finds_gpu()) else "openvino"


def _finds_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def available_cpus() -> int:
    """Processors that this process may use: its affinity, and the container's quota (cgroup v2 `cpu.max`) rounded
    up.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, math.ceil(int(quota) / int(period))))
