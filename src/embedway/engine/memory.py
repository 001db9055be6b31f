"""The memory that loaded models share: reserved before a model is loaded, given back when it has been closed."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embedway.backends.footprint import Need
from embedway.errors import NoRoom
from embedway.sizes import show_bytes


@dataclass(slots=True, eq=False)
class Reservation:
    """`bytes` of the memory of `device` that belong to one model until `release`."""

    memory: Memory
    device: str
    bytes: int
    held: int
    opening: bool = True

    def settle(self) -> None:
        """The model is open: what only its loading needed is free again."""
        self.opening, self.bytes = False, self.held
        self.memory.changed()

    def release(self) -> None:
        """The model is closed. A second time does nothing."""
        self.memory.reservations.discard(self)
        self.memory.changed()


class Memory:
    """What is reserved, and what there is.

    `budget_bytes` bounds what models on the CPU reserve together; None is no bound. A copy that is loaded beside one
    that serves must fit in any case: without a bound, and on a GPU, into what `free` finds there just now.
    """

    def __init__(
        self,
        budget_bytes: int | None = None,
        free: Callable[[str], int | None] | None = None,
        on_change: Callable[[int], object] = lambda amount: None,
    ) -> None:
        self.reservations: set[Reservation] = set()
        self._budget_bytes = budget_bytes
        self._free = free or free_bytes
        self._on_change = on_change

    @property
    def reserved_bytes(self) -> int:
        """On all devices together."""
        return sum(one.bytes for one in self.reservations)

    def reserve(self, name: str, need: Need, beside: bool = False) -> Reservation:
        """Memory for the model `name`, `beside` a copy of it that serves. Raises `NoRoom` with both figures."""
        if self.missing_bytes(need, beside):
            raise NoRoom(self._refusal(name, need, beside))
        reservation = Reservation(self, need.device, need.opening, need.held)
        self.reservations.add(reservation)
        self.changed()
        return reservation

    def missing_bytes(self, need: Need, beside: bool = False) -> int:
        """How much must be given back before there is room; 0 where there is."""
        room = self._room(need.device, beside)
        return 0 if room is None else max(0, need.opening - max(0, room))

    def changed(self) -> None:
        self._on_change(self.reserved_bytes)

    def _room(self, device: str, beside: bool) -> int | None:
        """Bytes that can be reserved; None where nothing bounds them, or nobody knows."""
        if self._bounded(device) and self._budget_bytes is not None:
            return self._budget_bytes - sum(one.bytes for one in self.reservations if one.device == device)
        free = self._free(device) if beside else None
        if free is None:
            return None
        return free - sum(one.bytes for one in self.reservations if one.device == device and one.opening)

    def _bounded(self, device: str) -> bool:
        return self._budget_bytes is not None and device == "cpu"

    def _refusal(self, name: str, need: Need, beside: bool) -> str:
        room = show_bytes(max(0, self._room(need.device, beside) or 0))
        what = f"A second copy of the model '{name}'" if beside else f"The model '{name}'"
        if self._bounded(need.device):
            budget = show_bytes(self._budget_bytes or 0)
            where, remedy = f"of the memory budget of {budget} only {room} are free", "or raise --memory-budget"
        else:
            where, remedy = f"only {room} of memory are free on {need.device}", "or drain the old one first"
        return f"{what} needs about {show_bytes(need.opening)}, and {where}: unload another model, {remedy}."


def free_bytes(device: str) -> int | None:
    """Memory that is free now: what the system and the container's limit (cgroup v2) leave, or what a GPU has left.
    None where that cannot be told.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    found = [amount for amount in (_system_free(), _container_free()) if amount is not None]
    return min(found) if found else None


def give_back() -> None:
    """Return freed memory to the system; glibc keeps it otherwise, for the next model of the same shape perhaps."""
    gc.collect()
    with suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def _system_free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _container_free() -> int | None:
    """What a container's limit leaves; its clean pages of files count as free."""
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = int((group / "memory.max").read_text()), int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return None
