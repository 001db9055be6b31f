"""What the tests of coming and going share: an engine with fake models whose opening can be watched and held up."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from embedway.backends.base import Backend
from embedway.backends.fake import FakeBackend
from embedway.backends.footprint import Need
from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import ModelFilesError
from embedway.observe import Metrics
from embedway.types import EmbedCall, EmbedResult, Features, Item, ModelSpec, Outputs, Text

LIMITS = EngineLimits(batch=Budget(256, 16), queue_tokens=100_000, hang_s=5.0, drain_s=5.0, threads=2)
A = ModelSpec("a", "fake:8")
B = ModelSpec("b", "fake:8")


class Watched(FakeBackend):
    """Fails when it is asked for anything after it was closed, or closed twice, or closed while it computes."""

    def __init__(self, spec: ModelSpec, factory: Factory) -> None:
        super().__init__(spec)
        self.facts = dataclasses.replace(self.facts, revision=spec.revision or "fake")
        self._factory = factory
        self._lock = threading.Lock()
        self._inside = 0
        self.closed = False

    @contextlib.contextmanager
    def _used(self) -> Any:
        with self._lock:
            self._inside += 1
        try:
            if self.closed:
                self._factory.misused.append("used after it was closed")
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def prepare(self, item: Item) -> Features:
        with self._used():
            return super().prepare(item)

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        with self._used():
            return super().run(batch)

    def close(self) -> None:
        if self.closed or self._inside:
            self._factory.misused.append("closed twice, or under a pass")
        self.closed = True
        self._factory.open.remove(self)


class Factory:
    """Opens `Watched` backends and keeps count.

    A spec of revision `broken` fails with a sentence. `gate` is waited for by every opening, where it is set.
    """

    def __init__(self) -> None:
        self.open: list[Watched] = []
        self.opened: list[ModelSpec] = []
        self.misused: list[str] = []
        self.gate: threading.Event | None = None
        self.most = 0

    def __call__(self, spec: ModelSpec, threads: int | None) -> Backend:
        self.opened.append(spec)
        if self.gate:
            assert self.gate.wait(10)
        if spec.revision == "broken":
            raise ModelFilesError(f"/srv/secret/{spec.name} has no config.json; give the folder that holds it.")
        backend = Watched(spec, self)
        self.open.append(backend)
        self.most = max(self.most, len(self.open))
        return backend


def need(amount: int) -> Callable[[ModelSpec], Need]:
    """An estimator by which every model needs the same."""
    return lambda spec: Need(amount, amount)


@contextlib.asynccontextmanager
async def serving(
    specs: Sequence[ModelSpec] = (A,),
    factory: Factory | None = None,
    memory_bytes: int | None = None,
    estimator: Callable[[ModelSpec], Need] | None = None,
    metrics: Metrics | None = None,
    **limits: Any,
) -> AsyncIterator[LocalEngine]:
    """A started engine. At the end every copy is closed, once, and none was used afterwards."""
    factory = factory or Factory()
    bounds = dataclasses.replace(LIMITS, memory_bytes=memory_bytes, **limits)
    engine = LocalEngine(specs, bounds, metrics or Metrics(), opener=factory, estimator=estimator or need(10))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
    assert factory.open == []
    assert factory.misused == []


def call(text: str = "hello", model: str = "a", **options: Any) -> EmbedCall:
    return EmbedCall(model, [Text(text)], **options)


def right(result: EmbedResult, text: str = "hello") -> bool:
    """Whether the vector is this text's, of whatever length the model has now."""
    backend = FakeBackend(ModelSpec("any", f"fake:{len(result.vectors[0])}"))
    expected = backend.run([backend.prepare(Text(text))])[0].dense
    return expected is not None and np.array_equal(result.vectors[0], expected)


def state(engine: LocalEngine, name: str = "a") -> str:
    return engine.find(name).state


async def until(claim: Callable[[], Any], within_s: float = 5.0) -> None:
    """Wait until a claim holds."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110 -- a test looks from outside
            await asyncio.sleep(0.005)


class Stream:
    """Callers without pause; every answer must be right, and none may fail."""

    def __init__(self, engine: LocalEngine, *models: str, callers: int = 4) -> None:
        self.answers = 0
        self._engine = engine
        self._over = False
        self._tasks = [asyncio.create_task(self._ask(model, n)) for model in models for n in range(callers)]

    async def _ask(self, model: str, caller: int) -> None:
        while not self._over:
            text = f"text {caller} {self.answers}"
            assert right(await self._engine.embed(call(text, model)), text)
            self.answers += 1
            await asyncio.sleep(0.001 * caller)

    async def end(self) -> int:
        """Stop asking, raise what failed, and return how many answers there were."""
        self._over = True
        await asyncio.gather(*self._tasks)
        return self.answers


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))
