"""From a model's entry to its backend; each backend's libraries are imported only when it is opened."""

from __future__ import annotations

import math
import os
from pathlib import Path

from embedway.backends.base import Backend
from embedway.models.recipe import read_recipe
from embedway.models.services import SERVICES, check_fits
from embedway.models.source import find_model
from embedway.types import ModelSpec


def open_backend(spec: ModelSpec, threads: int | None = None) -> Backend:
    """Find the files, read the recipe, build and compile. Raises `SetupError` with the reason when that cannot be done.

    `threads` defaults to the processors this process may use.
    """
    backend = _open(spec, threads or available_cpus())
    if not spec.stand_in:
        for name in (spec.name, *spec.aliases):
            if name in SERVICES:
                check_fits(SERVICES[name], backend.facts.dimensions, backend.facts.max_tokens)
    return backend


def _open(spec: ModelSpec, threads: int) -> Backend:
    if spec.source.partition(":")[0] == "fake":
        from embedway.backends.fake import FakeBackend

        return FakeBackend(spec)
    files = find_model(spec.source, spec.revision)
    recipe = read_recipe(files, spec)
    from embedway.backends.openvino import OpenVinoBackend

    return OpenVinoBackend(files, recipe, spec, threads)


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
