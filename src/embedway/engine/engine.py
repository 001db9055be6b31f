"""The engine: the loaded models by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from embedway.backends.base import Backend, Vocabulary
from embedway.backends.footprint import Need, estimate
from embedway.backends.open import available_cpus, open_backend
from embedway.engine.batch import Budget
from embedway.engine.batcher import Answer, Limits, estimate_tokens
from embedway.engine.changes import Changes
from embedway.engine.checks import check_call, shortened
from embedway.engine.entry import Entry
from embedway.engine.life import Life
from embedway.engine.memory import Memory
from embedway.engine.opening import Opening
from embedway.engine.readers import Readers
from embedway.engine.shelf import Shelf
from embedway.engine.warm import warm
from embedway.errors import DeadlineExceeded, EmbedwayError, InvalidInput
from embedway.models.services import SERVICES
from embedway.observe import Metrics
from embedway.types import (
    ANONYMOUS,
    Caller,
    EmbedCall,
    EmbedResult,
    Facts,
    Features,
    ModelSpec,
    ModelStatus,
    Output,
    Outputs,
    Text,
    Token,
    Usage,
)

S = TypeVar("S")
T = TypeVar("T")


class Engine(Protocol):
    """Messages only, so that a child process or a Ray actor can stand behind it."""

    async def start(self) -> None:
        """Load and warm every model. Raises `SetupError` when a required one cannot be served."""

    async def stop(self) -> None:
        """Let what is in flight finish, within the drain limit, and close everything."""

    async def load(self, spec: ModelSpec, drain: bool = False) -> None:
        """Serve `spec`, beside the others or in place of the model of its name; see `engine.life.Life.load`."""

    async def unload(self, name: str) -> None:
        """Take a model off; what it has accepted is answered. Raises `ModelNotFound`."""

    async def reconcile(self, wanted: Sequence[ModelSpec], drain: bool = False) -> Changes:
        """Make the models those of `wanted`. Raises `SettingsError` where two of them share a name."""

    def register(self, wanted: Sequence[ModelSpec]) -> None:
        """Make the registered models those of `wanted`; see `engine.life.Life.register`."""

    def models(self, caller: Caller | None = None) -> Sequence[ModelStatus]:
        """Every model, in the order of the configuration; or those that the caller can name."""

    def find(self, name: str, caller: Caller = ANONYMOUS) -> ModelStatus:
        """The model that a name or alias means to the caller. Raises `ModelNotFound`."""

    async def embed(self, call: EmbedCall) -> EmbedResult:
        """Raises `ModelNotFound`, `InvalidInput`, `Overloaded`, `Unavailable`, `ModelFailed`, `DeadlineExceeded`."""

    async def spell(self, model: str, ids: Sequence[int], caller: Caller = ANONYMOUS) -> Sequence[str]:
        """Tokens of a model's vocabulary as text. Raises as `tokenize` does."""

    async def tokenize(
        self, model: str, texts: Sequence[Text], special: bool = True, caller: Caller = ANONYMOUS
    ) -> Sequence[Sequence[Token]]:
        """All tokens of each text, uncut. Raises `ModelNotFound`, `InvalidInput`, `Unavailable`."""

    async def decode(
        self, model: str, ids: Sequence[Sequence[int]], skip_special: bool = True, caller: Caller = ANONYMOUS
    ) -> Sequence[str]:
        """The text of each list of tokens. Raises as `tokenize` does."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`queue_tokens`: accepted and not yet answered, for each model and caller. Times in seconds."""

    batch: Budget
    queue_tokens: int
    hang_s: float
    drain_s: float
    threads: int | None = None
    memory_bytes: int | None = None
    """What models on the CPU may reserve together; None is no bound."""


class LocalEngine:
    """Models in this process. Those on one device take turns; devices work side by side."""

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        limits: EngineLimits,
        metrics: Metrics,
        on_hang: Callable[[], None] = lambda: None,
        opener: Callable[[ModelSpec, int | None], Backend] = open_backend,
        estimator: Callable[[ModelSpec], Need] = estimate,
    ) -> None:
        self._specs = specs
        self._limits = limits
        self._metrics = metrics
        self._opener = opener
        self._shelf = Shelf(specs)
        self._readers = Readers(limits.threads or available_cpus())
        queue = Limits(limits.queue_tokens, limits.batch)
        self._opening = Opening(self._open_warm, queue, self._readers, limits.hang_s, on_hang, metrics)
        memory = Memory(limits.memory_bytes, on_change=metrics.memory_reserved.set)
        self._life = Life(self._shelf, self._opening, memory, estimator, limits.queue_tokens, metrics)

    async def start(self) -> None:
        await self._life.reconcile(self._specs, strict=True)

    async def stop(self) -> None:
        await self._life.stop()
        deadline_s = time.monotonic() + self._limits.drain_s
        while self._opening.pending_items and time.monotonic() < deadline_s and self._opening.alive:  # noqa: ASYNC110 -- once, at the end
            await asyncio.sleep(0.01)
        await self._opening.stop()
        self._readers.close()

    async def load(self, spec: ModelSpec, drain: bool = False) -> None:
        await self._life.load(spec, drain)

    async def unload(self, name: str) -> None:
        await self._life.unload(name)

    async def reconcile(self, wanted: Sequence[ModelSpec], drain: bool = False) -> Changes:
        return await self._life.reconcile(wanted, drain)

    def register(self, wanted: Sequence[ModelSpec]) -> None:
        self._life.register(wanted)

    def models(self, caller: Caller | None = None) -> Sequence[ModelStatus]:
        return [self._status(entry) for entry in self._shelf.seen(caller)]

    def find(self, name: str, caller: Caller = ANONYMOUS) -> ModelStatus:
        return self._status(self._shelf.find(name, caller.namespace))

    async def embed(self, call: EmbedCall) -> EmbedResult:
        entry = self._shelf.find(call.model, call.caller.namespace)
        name, stand_in = entry.spec.name, entry.spec.stand_in and call.model in SERVICES
        try:
            if entry.facts:  # what cannot be answered loads no idle model
                check_call(entry.facts, call)
            answer, facts, dimensions = await self._within_deadline(entry, call)
        except EmbedwayError as error:
            self._metrics.rejections.labels(entry.spec.label, error.code).inc()
            raise
        outputs = answer.outputs if dimensions is None else [shortened(one, dimensions) for one in answer.outputs]
        sparse = any(Output.SPARSE in item.outputs for item in call.items)
        return EmbedResult(
            model=name,
            outputs=outputs,
            usage=self._count(entry.spec.label, call, answer),
            timings=answer.timings,
            stand_in=stand_in,
            lexical=sparse and not facts.sparse_head,
            facts=facts,
        )

    async def spell(self, model: str, ids: Sequence[int], caller: Caller = ANONYMOUS) -> Sequence[str]:
        return await self._look_up(model, caller, lambda vocabulary: vocabulary.spell(ids))

    async def tokenize(
        self, model: str, texts: Sequence[Text], special: bool = True, caller: Caller = ANONYMOUS
    ) -> Sequence[Sequence[Token]]:
        return await self._look_up(
            model, caller, lambda vocabulary: each(texts, lambda one: vocabulary.tokenize(one, special))
        )

    async def decode(
        self, model: str, ids: Sequence[Sequence[int]], skip_special: bool = True, caller: Caller = ANONYMOUS
    ) -> Sequence[str]:
        return await self._look_up(
            model, caller, lambda vocabulary: each(ids, lambda one: vocabulary.decode(one, skip_special))
        )

    async def _look_up(self, model: str, caller: Caller, work: Callable[[Vocabulary], T]) -> T:
        """Work with a model's vocabulary, on a reader's thread."""
        entry = self._shelf.find(model, caller.namespace)
        loaded = await self._life.claim(entry, 0)
        try:
            return await self._readers.do(caller.flow, work, loaded.backend.vocabulary)
        finally:
            self._life.leave(entry, loaded)

    def _open_warm(self, spec: ModelSpec) -> Backend:
        """On a thread: open, and close again where the first passes fail."""
        backend = self._opener(spec, self._limits.threads)
        try:
            if spec.remote is None:  # what is behind a URL is asked for callers only
                warm(backend)
        except BaseException:
            backend.close()
            raise
        return backend

    async def _within_deadline(self, entry: Entry, call: EmbedCall) -> tuple[Answer, Facts, int | None]:
        if call.deadline_s is None:
            return await self._answer(entry, call)
        try:
            async with asyncio.timeout(call.deadline_s - time.monotonic()):
                return await self._answer(entry, call)
        except TimeoutError as error:
            raise DeadlineExceeded("The request's time limit passed before its answer was ready.") from error

    async def _answer(self, entry: Entry, call: EmbedCall) -> tuple[Answer, Facts, int | None]:
        """The answer, and the facts and the length to cut it to, of one copy: a swap may come between calls only."""
        tokens = estimate_tokens(call.items, entry.facts) if entry.facts else 0
        loaded = await self._life.claim(entry, tokens)
        try:
            dimensions = check_call(loaded.backend.facts, call)
            return await loaded.batcher.submit(call), loaded.backend.facts, dimensions
        finally:
            self._life.leave(entry, loaded)

    def _count(self, name: str, call: EmbedCall, answer: Answer) -> Usage:
        usage = Usage(
            tokens=sum(consumed(*one) for one in zip(answer.features, answer.outputs, strict=True)),
            cut=sum(features.cut for features in answer.features),
            characters=sum(item.characters for item in call.items),
        )
        self._metrics.tokens.labels(name).inc(usage.tokens)
        self._metrics.texts.labels(name).inc(len(call.items))
        self._metrics.truncated.labels(name).inc(usage.cut)
        timings = answer.timings
        for phase, seconds in (("prepare", timings.prepare_s), ("queue", timings.queue_s), ("run", timings.run_s)):
            self._metrics.phase_seconds.labels(name, phase).observe(seconds)
        return usage

    def _status(self, entry: Entry) -> ModelStatus:
        loaded = entry.loaded
        batcher = loaded.batcher if loaded else None
        down = loaded is not None and not loaded.device.alive
        return ModelStatus(
            spec=entry.spec,
            facts=entry.facts,
            created_s=entry.created_s,
            ready=entry.answers and not down,
            reason="the model's thread is down" if down else entry.reason,
            queued_items=batcher.queued_items if batcher else 0,
            queued_tokens=(batcher.queued_tokens if batcher else 0) + entry.waiting_tokens,
            pending_items=batcher.pending_items if batcher else 0,
            max_queue_tokens=self._limits.queue_tokens,
            max_batch_items=self._limits.batch.items,
            state=entry.state,
            reserved_bytes=loaded.reservation.bytes if loaded else 0,
        )


def each(given: Sequence[S], work: Callable[[S], T]) -> Sequence[T]:
    """The work done on each. An `InvalidInput` says on which it failed."""
    done: list[T] = []
    for index, one in enumerate(given):
        try:
            done.append(work(one))
        except InvalidInput as error:
            raise InvalidInput(error.message, item=index) from error
    return done


def consumed(features: Features, outputs: Outputs) -> int:
    """Tokens that an item took: as a remote model counted them, or as they were prepared."""
    return features.cost if outputs.used_tokens is None else outputs.used_tokens
