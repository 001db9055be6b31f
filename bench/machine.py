"""The machine's facts, which go into every result file. Linux (`/proc`)."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8")
"""The instruction sets that decide how fast matrices are multiplied."""


@cache
def cpu_info() -> dict[str, str]:
    """The first processor's entry of `/proc/cpuinfo`."""
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively."""
    flags = cpu_info().get("flags", "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def facts() -> dict[str, object]:
    """What a reader needs to know to compare figures."""
    info = cpu_info()
    present = info.get("flags", "").split()
    meminfo = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {
        "cpu": info.get("model name", platform.processor()),
        "family_model_stepping": "/".join(info.get(key, "?") for key in ("cpu family", "model", "stepping")),
        "flags": {flag: flag in present for flag in FLAGS},
        "cores": len(os.sched_getaffinity(0)),
        "cache": info.get("cache size", ""),
        "memory_gib": round(int(meminfo["MemTotal"].split()[0]) / 2**20, 1),
        "hypervisor": "hypervisor" in present,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def slug() -> str:
    """The processor's name as part of a file name."""
    name = re.sub(r"\(r\)|\(tm\)|processor|cpu", " ", cpu_info().get("model name", "cpu").lower())
    return re.sub(r"[^a-z0-9.]+", "-", name).strip("-") + f"-{len(os.sched_getaffinity(0))}-cores"


def processor_times() -> dict[str, float]:
    """Jiffies since boot: `stolen` by the hypervisor, `busy` in programs or the kernel, and `all`."""
    user, nice, system, idle, wait, irq, soft, stolen = map(float, Path("/proc/stat").read_text().split()[1:9])
    busy = user + nice + system + irq + soft
    return {"stolen": stolen, "busy": busy, "all": busy + idle + wait + stolen}


def share(kind: str, before: dict[str, float], after: dict[str, float]) -> float:
    """The share of the machine's processor time between two looks that was `stolen` or `busy`."""
    return (after[kind] - before[kind]) / max(1.0, after["all"] - before["all"])
