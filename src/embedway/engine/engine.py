"""The engine: the loaded models by name."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from embedway.backends.base import Backend
from embedway.backends.open import available_cpus, open_backend
from embedway.engine.batch import Budget
from embedway.engine.batcher import Answer, Batcher, Limits
from embedway.engine.device import Device
from embedway.errors import (
    DeadlineExceeded,
    EmbedwayError,
    InvalidInput,
    ModelFilesError,
    ModelNotFound,
    SetupError,
    Unavailable,
)
from embedway.models.services import SERVICES
from embedway.observe import Metrics
from embedway.types import (
    EmbedCall,
    EmbedResult,
    Facts,
    Image,
    Item,
    ModelSpec,
    ModelStatus,
    Output,
    Outputs,
    Pair,
    Text,
    Usage,
)
from embedway.vectors import check_finite, shorten

log = logging.getLogger(__name__)

WARM_TEXTS = ("warm", "The quick brown fox jumps over the lazy dog. " * 8, "word " * 600)


class Engine(Protocol):
    """Messages only, so that a child process or a Ray actor can stand behind it."""

    async def start(self) -> None:
        """Load and warm every model. Raises `SetupError` when a required one cannot be served."""

    async def stop(self) -> None:
        """Let what is in flight finish, within the drain limit, and close everything."""

    def models(self) -> Sequence[ModelStatus]:
        """Every model, in the order of the configuration."""

    def find(self, name: str) -> ModelStatus:
        """The model behind a name or alias. Raises `ModelNotFound`."""

    async def embed(self, call: EmbedCall) -> EmbedResult:
        """Raises `ModelNotFound`, `InvalidInput`, `Overloaded`, `Unavailable`, `ModelFailed`, `DeadlineExceeded`."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """`queue_tokens`: accepted and not yet answered, for each model. Times in seconds."""

    batch: Budget
    queue_tokens: int
    hang_s: float
    drain_s: float
    threads: int | None = None


@dataclass(slots=True, eq=False)
class _Entry:
    spec: ModelSpec
    created_s: int
    reason: str = "loading"
    facts: Facts | None = None
    backend: Backend | None = None
    batcher: Batcher | None = None


class LocalEngine:
    """Models in this process. Those on one device take turns; devices work side by side."""

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        limits: EngineLimits,
        metrics: Metrics,
        on_hang: Callable[[], None] = lambda: None,
        opener: Callable[[ModelSpec, int | None], Backend] = open_backend,
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._opener = opener
        self._entries = [_Entry(spec, int(time.time())) for spec in specs]
        self._names: Mapping[str, _Entry] = {
            name: entry for entry in self._entries for name in (entry.spec.name, *entry.spec.aliases)
        }
        self._on_hang = on_hang
        self._devices: dict[str, Device] = {}
        self._readers = ThreadPoolExecutor(limits.threads or available_cpus(), thread_name_prefix="prepare")

    async def start(self) -> None:
        for entry in self._entries:
            await self._load(entry)

    async def stop(self) -> None:
        deadline_s = time.monotonic() + self._limits.drain_s
        while self._pending() and time.monotonic() < deadline_s and self._alive():  # noqa: ASYNC110 -- once, at the end
            await asyncio.sleep(0.01)
        for device in self._devices.values():
            await device.stop()
        self._readers.shutdown(wait=False, cancel_futures=True)
        for entry in self._entries:
            if entry.backend is not None and self._devices[entry.backend.facts.device].stopped:
                entry.backend.close()

    def models(self) -> Sequence[ModelStatus]:
        return [self._status(entry) for entry in self._entries]

    def find(self, name: str) -> ModelStatus:
        return self._status(self._entry(name))

    async def embed(self, call: EmbedCall) -> EmbedResult:
        entry = self._entry(call.model)
        try:
            if entry.batcher is None or entry.facts is None:
                raise Unavailable(f"The model '{entry.spec.name}' is not ready ({entry.reason}): try again soon.")
            check_items(entry.facts, call.items)
            dimensions = check_dimensions(entry.facts, call.dimensions)
            answer = await self._within_deadline(entry.batcher, call)
        except EmbedwayError as error:
            self._metrics.rejections.labels(entry.spec.name, error.code).inc()
            raise
        outputs = answer.outputs if dimensions is None else [_shortened(one, dimensions) for one in answer.outputs]
        stand_in = entry.spec.stand_in and call.model in SERVICES
        return EmbedResult(
            entry.spec.name, outputs, self._count(entry.spec.name, call, answer), answer.timings, stand_in
        )

    async def _load(self, entry: _Entry) -> None:
        """Open and warm one model; the reason of a failure stays with the entry."""
        name = entry.spec.name
        started_s = time.monotonic()
        try:
            backend = await asyncio.to_thread(self._opener, entry.spec, self._limits.threads)
            await asyncio.to_thread(_warm, backend)
        except Exception as error:
            entry.reason = "it could not be loaded, the log says why"  # /ready is open to all: no paths there
            stack = not isinstance(error, SetupError)  # a sentence for what the user can mend, the stack for the rest
            log.log(logging.ERROR, "The model '%s' cannot be served: %s", name, error, exc_info=stack)
            if entry.spec.required:
                raise (
                    error
                    if isinstance(error, SetupError)
                    else SetupError(f"The model '{name}' cannot be opened: {error!r}.")
                ) from error
            return
        limits = Limits(self._limits.queue_tokens, self._limits.batch)
        entry.backend, entry.facts = backend, backend.facts
        device = self._device(backend.facts.device)
        entry.batcher = Batcher(name, backend, device, self._readers, limits, self._metrics)
        entry.reason = "ready"
        device.add(entry.batcher)
        facts = backend.facts
        log.info(
            "Model '%s' is ready after %.1f s: %s %s, %d dimensions, %d tokens.",
            *(name, time.monotonic() - started_s, facts.backend, facts.dtype, facts.dimensions, facts.max_tokens),
        )
        if agreement := facts.agreement:
            log.info("Model '%s' in %s and in fp32, over %d texts: %s.", name, facts.dtype, agreement.texts, agreement)

    async def _within_deadline(self, batcher: Batcher, call: EmbedCall) -> Answer:
        if call.deadline_s is None:
            return await batcher.submit(call)
        try:
            async with asyncio.timeout(call.deadline_s - time.monotonic()):
                return await batcher.submit(call)
        except TimeoutError as error:
            raise DeadlineExceeded("The request's time limit passed before its answer was ready.") from error

    def _count(self, name: str, call: EmbedCall, answer: Answer) -> Usage:
        usage = Usage(
            tokens=sum(features.cost for features in answer.features),
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

    def _entry(self, name: str) -> _Entry:
        if name not in self._names:
            raise ModelNotFound(f"The model '{name[:200]}' does not exist.", name)
        return self._names[name]

    def _status(self, entry: _Entry) -> ModelStatus:
        batcher = entry.batcher
        alive = batcher is not None and entry.facts is not None and self._devices[entry.facts.device].alive
        return ModelStatus(
            spec=entry.spec,
            facts=entry.facts,
            created_s=entry.created_s,
            ready=alive,
            reason=entry.reason if alive or batcher is None else "the model's thread is down",
            queued_items=batcher.queued_items if batcher else 0,
            queued_tokens=batcher.queued_tokens if batcher else 0,
            pending_items=batcher.pending_items if batcher else 0,
            max_queue_tokens=self._limits.queue_tokens,
            max_batch_items=self._limits.batch.items,
        )

    def _device(self, name: str) -> Device:
        """The device of that name, started with its first model."""
        if name not in self._devices:
            self._devices[name] = Device(name, self._limits.hang_s, self._on_hang, self._metrics)
            self._devices[name].start()
        return self._devices[name]

    def _alive(self) -> bool:
        return all(device.alive for device in self._devices.values())

    def _pending(self) -> int:
        return sum(entry.batcher.pending_items for entry in self._entries if entry.batcher)


def check_items(facts: Facts, items: Sequence[Item]) -> None:
    """Raise `InvalidInput` for items that a model of this kind does not take, or outputs that it does not give."""
    for index, item in enumerate(items):
        if isinstance(item, Image) and "image" not in facts.modalities:
            raise InvalidInput("This model reads texts only: send images to a model that embeds them.", item=index)
        paired = isinstance(item, Pair)
        if (
            item.outputs & ~facts.outputs
            or (paired and "embedding" in facts.tasks)
            or (not paired and "rerank" in facts.tasks)
        ):
            raise InvalidInput(f"This model {_kind(facts)}.", item=index)


def _kind(facts: Facts) -> str:
    if "embedding" in facts.tasks and Output.DENSE not in facts.outputs:
        return "weighs terms" if Output.SPARSE in facts.outputs else "gives a vector for each token"
    return _KINDS[min(facts.tasks)]


_KINDS = {
    "classify": "classifies texts and pairs; it gives no vectors",
    "embedding": "embeds texts; it scores nothing",
    "multimodal": "embeds texts and images; it scores nothing",
    "rerank": "scores pairs of a query and a document; it gives no vectors",
}


def _shortened(outputs: Outputs, dimensions: int) -> Outputs:
    if outputs.dense is None:
        return outputs
    return dataclasses.replace(outputs, dense=shorten(outputs.dense, dimensions))


def check_dimensions(facts: Facts, dimensions: int | None) -> int | None:
    """The length to cut to, None for native. Raises `InvalidInput` naming the allowed range."""
    if dimensions is None or dimensions == facts.dimensions:
        return None
    if not facts.matryoshka:
        raise InvalidInput(
            f"This model's vectors have {facts.dimensions} dimensions: it was not trained for shorter ones.",
            "$.dimensions",
        )
    low, high = facts.matryoshka[0], facts.dimensions
    if not low <= dimensions <= high:
        raise InvalidInput(
            f"This model's vectors may have {low} to {high} dimensions, not {dimensions}.", "$.dimensions"
        )
    return dimensions


def _warm(backend: Backend) -> None:
    """Run items of several lengths once: the first caller need not pay for it, and what comes is seen to be finite."""
    facts = backend.facts
    features = [backend.prepare(item) for item in _warmable(backend)]
    for batch in ([features[0]], features[:2], features):
        for outputs in backend.run(batch):
            sparse = outputs.sparse.weights if outputs.sparse else None
            parts = [part for part in (outputs.dense, outputs.scores, outputs.tokens, sparse) if part is not None]
            for part in parts:
                check_finite(part)
            wanted = {"dense": (facts.dimensions,), "scores": (max(1, len(facts.labels)),)}
            found = {"dense": outputs.dense, "scores": outputs.scores}
            if not parts or any(part is not None and part.shape != wanted[name] for name, part in found.items()):
                raise ModelFilesError(
                    "The model's vectors have not the length that its config says: its files do not belong together."
                )


def _warmable(backend: Backend) -> Sequence[Item]:
    """Items short enough for a model that refuses to cut, which want all that it gives."""
    facts = backend.facts
    texts = [text[: facts.max_tokens // 2 * 2] for text in WARM_TEXTS]
    if "rerank" in facts.tasks:
        return [Pair(text[: len(text) // 4], text[: len(text) // 4]) for text in texts]
    return [Text(text, outputs=facts.outputs) for text in texts]
