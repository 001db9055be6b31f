"""Models come and go while others serve: load, swap, rest, unload.

A call that finds nothing loaded waits for the work on its entry, all calls for the same, and none can cancel it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from embedway.backends.footprint import Need
from embedway.backends.open import check_service_names
from embedway.backends.remote import remote_facts
from embedway.engine.changes import Changes, as_setup, said_of, shown
from embedway.engine.entry import Entry, Loaded, reopens
from embedway.engine.memory import Memory, Reservation
from embedway.engine.opening import Opening
from embedway.engine.shelf import Shelf, check_names, names_of
from embedway.engine.work import Works
from embedway.errors import ModelNotFound, NoRoom, Overloaded, SetupError, Unavailable
from embedway.observe import Metrics
from embedway.types import ModelSpec

log = logging.getLogger(__name__)

Cause = Literal["idle", "memory", "swap", "asked"]
RETRY_S = 5.0
"""After a failed reload calls are refused for this long, then the next one tries again."""


class Life:
    """The verbs. `estimate` says what a spec will need, and blocks."""

    def __init__(
        self,
        shelf: Shelf,
        opening: Opening,
        memory: Memory,
        estimate: Callable[[ModelSpec], Need],
        queue_tokens: int,
        metrics: Metrics,
    ) -> None:
        self._shelf = shelf
        self._opening = opening
        self._memory = memory
        self._estimate = estimate
        self._queue_tokens = queue_tokens
        self._metrics = metrics
        self._works = Works(partial(self._rest, cause="idle"))
        self._closing: set[asyncio.Task[None]] = set()
        self._reconciling = asyncio.Lock()

    # For calls --------------------------------------------------------------------------------------------------------

    async def claim(self, entry: Entry, tokens: int) -> Loaded:
        """The copy that answers, which stays until `leave`; an idle model is loaded again first.

        `tokens` is what the call will cost at most: those who wait for a load are bounded like those who wait for a
        batch. Raises `Overloaded`, `Unavailable`, and `ModelNotFound` where the model was unloaded meanwhile.
        """
        loaded = entry.loaded or await self._await_load(entry, tokens)
        loaded.users += 1
        return loaded

    def leave(self, entry: Entry, loaded: Loaded) -> None:
        """The call has its answer, or has gone."""
        loaded.users -= 1
        entry.used_s = time.monotonic()
        self._works.watch(entry)

    async def _await_load(self, entry: Entry, tokens: int) -> Loaded:
        if entry.waiting_tokens and entry.waiting_tokens + tokens > self._queue_tokens:
            raise Overloaded(f"Too much is waiting for the model '{entry.spec.name}': try again in 1 s.", 1)
        entry.waiters += 1
        entry.waiting_tokens += tokens
        try:
            while (loaded := entry.loaded) is None:
                self._check_loadable(entry)
                await asyncio.wait([entry.work or self._works.begin(entry, partial(self._wake, entry))])
                if entry.loaded is None and entry.failure is not None:
                    raise Unavailable(f"The model '{entry.spec.name}' is not ready: {entry.reason}")
            return loaded
        finally:
            entry.waiters -= 1
            entry.waiting_tokens -= tokens

    def _check_loadable(self, entry: Entry) -> None:
        """Raise where waiting would be in vain, or for long: the first load of a model is not waited for."""
        name = entry.spec.name
        if entry not in self._shelf.entries and entry.work is None:
            if self._shelf.named(name, entry.spec.namespace):
                raise Unavailable(f"The model '{name}' has just been changed: try again.")
            raise ModelNotFound(f"The model '{name}' does not exist any more.", name)
        if self._works.stopping or not (entry.answers or entry.work) or entry.facts is None:
            raise Unavailable(f"The model '{name}' is not ready ({entry.reason}): try again soon.")

    async def _wake(self, entry: Entry) -> None:
        entry.become("loading", "it was idle and is being loaded again")
        try:
            await self._fill(entry, entry.spec)
        except Exception as error:
            self._fail(entry, entry.spec, error)
            if isinstance(error, NoRoom):  # its files are well, and there may be room for the next call
                entry.become("idle", entry.reason)

    # For those who decide ---------------------------------------------------------------------------------------------

    async def load(self, spec: ModelSpec, drain: bool = False) -> None:
        """Serve `spec`: load it, or swap it for the model of its name.

        The new copy is loaded beside the old, takes over at once, and the old one answers what it has and is closed.
        Where memory has no room for both, `drain` unloads the old one first, and calls wait meanwhile; without it the
        swap is refused. Raises `SetupError`; then nothing has changed, and a model that served goes on serving.
        """
        self._shelf.check(spec)
        entry = self._shelf.named(spec.name)
        if entry is None:
            entry = Entry(spec)
            self._shelf.arrange([*self._shelf.entries, entry])
        try:
            await self._place(entry, spec, drain)
        except Exception:
            if entry.facts is None and entry in self._shelf.entries:  # it was new, and never served
                self._shelf.arrange(one for one in self._shelf.entries if one is not entry)
            raise

    async def unload(self, name: str) -> None:
        """Take the model off: its names end at once, what it has accepted is answered. Raises `ModelNotFound`."""
        entry = self._shelf.named(name) or self._shelf.find(name)
        self._shelf.arrange(one for one in self._shelf.entries if one is not entry)
        await self._works.do(entry, partial(self._go, entry))

    async def reconcile(self, wanted: Sequence[ModelSpec], drain: bool = False, strict: bool = False) -> Changes:
        """Make the models those of `wanted`: unload the others, load what is new or failed, swap what differs.

        What fails is logged, and the rest goes on; `strict` raises for the first required model that cannot be
        served. Raises `SettingsError` before anything is done where two of `wanted` share a name.
        """
        check_names(wanted)
        async with self._reconciling:
            changes = Changes()
            entries = [self._shelf.named(spec.name) or Entry(spec) for spec in wanted]
            registered = [entry for entry in self._shelf.entries if entry.spec.namespace]
            gone = [entry for entry in self._shelf.entries if not entry.spec.namespace and entry not in entries]
            for entry, spec in zip(entries, wanted, strict=True):
                entry.wanted = spec
            self._shelf.arrange([*entries, *registered])
            for entry in gone:
                await self._works.do(entry, partial(self._go, entry))
                changes.unloaded.append(entry.spec.name)
            try:
                for entry, spec in zip(entries, wanted, strict=True):
                    await self._settle(entry, spec, drain, strict, changes)
            finally:
                for entry in entries:
                    entry.wanted = None
            return changes

    def register(self, wanted: Sequence[ModelSpec]) -> None:
        """Make the models of all namespaces those of `wanted`, at once: they are remote, and opened by the first call.

        A copy that is replaced or gone answers what it has and is closed. Raises `SettingsError` where two of `wanted`
        share a name.
        """
        check_names(wanted)
        local = [entry for entry in self._shelf.entries if not entry.spec.namespace]
        former = {names_of(entry.spec)[0]: entry for entry in self._shelf.entries if entry.spec.namespace}
        entries = []
        for spec in wanted:
            entry = former.get(names_of(spec)[0])
            if entry is None or entry.spec != spec:
                anew = Entry(spec, state="idle", reason="no call has opened it yet", facts=remote_facts(spec))
                anew.created_s = entry.created_s if entry else anew.created_s
                entry = anew
            entries.append(entry)
        self._shelf.arrange([*local, *entries])
        kept = set(map(id, entries))
        for entry in former.values():
            if id(entry) not in kept and (entry.loaded or entry.work):
                self._works.later(entry, partial(self._go, entry))

    async def stop(self) -> None:
        """Cancel what is being done, and do nothing more. What was loaded is left to `Opening.stop`."""
        await self._works.stop()
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    # One entry --------------------------------------------------------------------------------------------------------

    async def _settle(self, entry: Entry, spec: ModelSpec, drain: bool, strict: bool, changes: Changes) -> None:
        if spec == entry.spec and entry.answers and entry.state != "failed":
            entry.wanted = None
            return
        into = changes.loaded
        if entry.answers:
            into = changes.swapped if reopens(entry.spec, spec) else changes.changed
        try:
            await self._place(entry, spec, drain)
        except Exception as error:
            if strict and spec.required:
                raise as_setup(spec, error) from error
            changes.failed[spec.name] = said_of(error)
        else:
            into.append(spec.name)

    async def _place(self, entry: Entry, spec: ModelSpec, drain: bool) -> None:
        entry.wanted = spec
        try:
            await self._works.do(entry, partial(self._become, entry, spec, drain))
        finally:
            entry.wanted = None

    async def _become(self, entry: Entry, spec: ModelSpec, drain: bool) -> None:
        """The work of a load, a swap, or a change of names."""
        same = entry.answers and not reopens(entry.spec, spec)
        if same and entry.facts and (entry.loaded or spec != entry.spec):
            check_service_names(spec, entry.facts)
            self._shelf.take(entry, spec)
            self._works.watch(entry, anew=True)
            return
        old, idle, reason = entry.loaded, entry.state == "idle", entry.reason
        try:
            if old is None:
                entry.become("loading")
                await self._fill(entry, spec)
            else:
                await self._swap(entry, old, spec, drain)
        except Exception as error:
            if entry.loaded is None and not idle:
                self._fail(entry, spec, error)
                raise
            log.error("The model '%s' serves on as it was: %s", spec.name, said_of(error))  # noqa: TRY400
            if idle:
                entry.failure = None
                entry.become("idle", reason)
            raise

    async def _swap(self, entry: Entry, old: Loaded, spec: ModelSpec, drain: bool) -> None:
        try:
            await self._fill(entry, spec, beside=True)
        except NoRoom:
            if not drain:
                raise
        else:
            await self._close(entry, old, "swap")
            return
        await self._empty(entry, "swap", "it is being swapped")
        entry.become("loading", "it is being swapped")
        before = entry.spec
        try:
            await self._fill(entry, spec)
        except Exception:
            log.error("The model '%s' has no room for two copies, and the new one failed.", spec.name)  # noqa: TRY400
            await self._fill(entry, before)
            raise

    async def _fill(self, entry: Entry, spec: ModelSpec, beside: bool = False) -> None:
        """Reserve, open, take over: from here on calls go to the new copy."""
        entry.failure = None
        need = await asyncio.to_thread(self._estimate, spec)
        reservation = await self._reserve(spec, need, beside)
        loaded = await self._opening.open(spec, reservation)
        entry.facts, entry.loaded, entry.used_s = loaded.backend.facts, loaded, time.monotonic()
        entry.become("ready")
        self._shelf.take(entry, spec)

    async def _reserve(self, spec: ModelSpec, need: Need, beside: bool) -> Reservation:
        """Memory for it: what is being closed is waited for, idle models with a keep-alive go, the longest idle first.

        Raises `NoRoom`, and unloads nothing, where all of that would not be enough.
        """
        while True:
            try:
                return self._memory.reserve(spec.name, need, beside)
            except NoRoom:
                if self._closing:
                    await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)
                    continue
                idle = self._shelf.idle(need.device)
                freed = sum(entry.loaded.reservation.bytes for entry in idle if entry.loaded)
                if freed < self._memory.missing_bytes(need, beside):
                    raise
                await self._works.do(idle[0], partial(self._rest, idle[0], "memory"))

    async def _rest(self, entry: Entry, cause: Cause) -> None:
        if entry.loaded and not entry.busy:
            await self._empty(entry, cause, "it is idle and being unloaded")
            entry.become("idle", "it is idle and is loaded again with the next call")

    async def _go(self, entry: Entry) -> None:
        while entry.waiters and entry.loaded:  # noqa: ASYNC110 -- those who waited for its load take it in their next step
            await asyncio.sleep(0)
        await self._empty(entry, "asked", "it is being unloaded")

    async def _empty(self, entry: Entry, cause: Cause, reason: str) -> None:
        """Let nothing new in, answer what is in flight, close."""
        loaded, entry.loaded = entry.loaded, None
        if loaded:
            entry.become("draining", reason)
            await self._close(entry, loaded, cause)

    async def _close(self, entry: Entry, loaded: Loaded, cause: Cause) -> None:
        self._metrics.unloads.labels(entry.spec.label, cause).inc()
        task = asyncio.create_task(self._opening.close(loaded), name=f"close {entry.spec.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        del loaded
        await asyncio.shield(task)
        log.info("A copy of the model '%s' was unloaded (%s).", entry.spec.label, cause)

    def _fail(self, entry: Entry, spec: ModelSpec, error: Exception) -> None:
        entry.failure, entry.retry_s = error, time.monotonic() + RETRY_S
        entry.become("failed", shown(spec, error))
        stack = not isinstance(error, SetupError)  # a sentence for what the user can mend, the stack for the rest
        log.log(
            logging.ERROR, "The model '%s' cannot be served: %s", spec.name, error, exc_info=error if stack else None
        )
