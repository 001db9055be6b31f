"""Which model answers to which name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from embedway.engine.entry import Entry
from embedway.errors import ModelNotFound, SettingsError
from embedway.types import ModelSpec


class Shelf:
    """The entries in their order. Names change all at once: the mapping is made anew, never edited."""

    def __init__(self, specs: Sequence[ModelSpec]) -> None:
        check_names(specs)
        self.entries: tuple[Entry, ...] = ()
        self._names: Mapping[str, Entry] = {}
        self.arrange(Entry(spec) for spec in specs)

    def arrange(self, entries: Iterable[Entry] | None = None) -> None:
        """Stand these entries on the shelf, or those that are there, with the names that they now have.

        A name whose new owner does not answer yet stays with its former owner until it does.
        """
        self.entries = self.entries if entries is None else tuple(entries)
        names = {name: entry for entry in self.entries for name in names_of(entry.spec)}
        awaited = {name for entry in self.entries if entry.wanted for name in names_of(entry.wanted)}
        for name, former in self._names.items():
            if former in self.entries and former.answers:
                new = names.get(name)
                if not new.answers if new else name in awaited:
                    names[name] = former
        self._names = names

    def take(self, entry: Entry, spec: ModelSpec) -> None:
        """The entry is `spec` from now on; aliases that another entry has of its names are the other's no more."""
        entry.spec = spec
        if entry in self.entries:
            taken = set(names_of(spec))
            for other in self.entries:
                if other is not entry and taken & set(other.spec.aliases):
                    left = tuple(alias for alias in other.spec.aliases if alias not in taken)
                    other.spec = dataclasses.replace(other.spec, aliases=left)
        self.arrange()

    def find(self, name: str) -> Entry:
        """The entry behind a name or alias. Raises `ModelNotFound`."""
        if name not in self._names:
            raise ModelNotFound(f"The model '{name[:200]}' does not exist.", name)
        return self._names[name]

    def named(self, name: str) -> Entry | None:
        """The entry whose own name this is; an alias does not count."""
        return next((entry for entry in self.entries if entry.spec.name == name), None)

    def idle(self, device: str) -> list[Entry]:
        """Loaded there, unused, and allowed to go: it has a keep-alive. The longest unused first."""
        found = [
            entry
            for entry in self.entries
            if entry.loaded and entry.spec.keep_alive_s is not None and entry.work is None and not entry.busy
            if entry.loaded.reservation.device == device and entry.loaded.reservation.bytes
        ]
        return sorted(found, key=lambda entry: entry.used_s)

    def check(self, spec: ModelSpec) -> None:
        """Raise `SettingsError` where another model has one of the spec's names, or is about to have it."""
        check_names([spec])
        for other in self.entries:
            if other.spec.name != spec.name:
                check_names([other.spec, spec])
                if other.wanted:
                    check_names([other.wanted, spec])


def names_of(spec: ModelSpec) -> tuple[str, ...]:
    """The name and the aliases."""
    return (spec.name, *spec.aliases)


def check_names(specs: Sequence[ModelSpec]) -> None:
    """Raise `SettingsError` for a name that two of them share."""
    owners: dict[str, str] = {}
    for spec in specs:
        for name in names_of(spec):
            if name in owners:
                raise SettingsError(
                    f"The name '{name}' of the model '{spec.name}' belongs to '{owners[name]}': "
                    "every name and alias must be unique."
                )
            owners[name] = spec.name
