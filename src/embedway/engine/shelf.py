"""Which model answers to which name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from embedway.engine.entry import Entry
from embedway.errors import Forbidden, ModelNotFound, NoPermission, SettingsError
from embedway.types import GLOBAL, Caller, ModelSpec

Name = tuple[str, str]
"""A namespace and a name in it; the global namespace is the empty one."""


class Shelf:
    """The entries in their order. Names change all at once: the mapping is made anew, never edited.

    A name means the global model that has it, else the one of the caller's namespace: nobody can shadow what the
    configuration names.
    """

    def __init__(self, specs: Sequence[ModelSpec]) -> None:
        check_names(specs)
        self.entries: tuple[Entry, ...] = ()
        self._names: Mapping[Name, Entry] = {}
        self.arrange(Entry(spec) for spec in specs)

    def arrange(self, entries: Iterable[Entry] | None = None) -> None:
        """Stand these entries on the shelf, or those that are there, with the names that they now have.

        A name whose new owner does not answer yet stays with its former owner until it does.
        """
        self.entries = self.entries if entries is None else tuple(entries)
        present = set(map(id, self.entries))
        names = {name: entry for entry in self.entries for name in names_of(entry.spec)}
        awaited = {name for entry in self.entries if entry.wanted for name in names_of(entry.wanted)}
        for name, former in self._names.items():
            if id(former) in present and former.answers:
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
                if other is not entry and other.spec.aliases and taken & set(names_of(other.spec)[1:]):
                    left = tuple(alias for alias in other.spec.aliases if (other.spec.namespace, alias) not in taken)
                    other.spec = dataclasses.replace(other.spec, aliases=left)
        self.arrange()

    def find(self, name: str, namespace: str = GLOBAL) -> Entry:
        """What a name or alias means there. Raises `ModelNotFound`, and `Forbidden` where the model is disabled."""
        entry = self._names.get((GLOBAL, name)) or self._names.get((namespace, name))
        if entry is None:
            raise ModelNotFound(f"The model '{name[:200]}' does not exist.", name)
        if entry.spec.disabled:
            raise Forbidden(f"The model '{name[:200]}' is disabled.")
        return entry

    def ask(self, name: str, caller: Caller) -> Entry:
        """What a name or alias means to the caller. Raises as `find`, and `NoPermission` for a model that the caller
        may not use.
        """
        entry = self.find(name, caller.namespace)
        if not caller.may_use(name, entry.spec.name):
            raise NoPermission(f"This API key may not use the model '{name[:200]}'.")
        return entry

    def named(self, name: str, namespace: str = GLOBAL) -> Entry | None:
        """The entry whose own name this is; an alias does not count."""
        found = self._names.get((namespace, name))
        if found is not None and found.spec.name == name:
            return found
        wanted = (namespace, name)
        return next((entry for entry in self.entries if (entry.spec.namespace, entry.spec.name) == wanted), None)

    def seen(self, caller: Caller | None) -> Sequence[Entry]:
        """All entries, or those that the caller can name."""
        if caller is None:
            return self.entries
        visible = [entry for entry in self.entries if entry.spec.namespace in (GLOBAL, caller.namespace)]
        able = [entry for entry in visible if caller.may_use(entry.spec.name, *entry.spec.aliases)]
        return [entry for entry in able if not entry.spec.disabled]

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
            if names_of(other.spec)[0] != names_of(spec)[0]:
                check_names([other.spec, spec])
                if other.wanted:
                    check_names([other.wanted, spec])


def names_of(spec: ModelSpec) -> tuple[Name, ...]:
    """The name and the aliases."""
    return tuple((spec.namespace, name) for name in (spec.name, *spec.aliases))


def check_names(specs: Sequence[ModelSpec]) -> None:
    """Raise `SettingsError` for a name that two of them share."""
    owners: dict[Name, str] = {}
    for spec in specs:
        for name in names_of(spec):
            if name in owners:
                raise SettingsError(
                    f"The name '{name[1]}' of the model '{spec.name}' belongs to '{owners[name]}': "
                    "every name and alias must be unique."
                )
            owners[name] = spec.name
