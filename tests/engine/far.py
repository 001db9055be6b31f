"""What the tests of registered models share: an engine whose remote models ask services of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.engine.engine import LocalEngine
from embedway.observe import Metrics
from embedway.types import Caller, EmbedCall, EmbedResult, ModelSpec, Text
from tests.backends.services import Misbehaving, remote

from .scenes import LIMITS, Factory

MINE = Caller(namespace="mine")


def far(service: Misbehaving, name: str = "far", namespace: str = "mine", **given: Any) -> ModelSpec:
    definition = remote(service.url, **given)
    return ModelSpec(name, "remote", namespace=namespace, remote=definition, keep_alive_s=60.0)


@contextlib.asynccontextmanager
async def serving(*specs: ModelSpec) -> AsyncIterator[LocalEngine]:
    """A started engine whose local models are fake and watched, and whose remote ones are real.

    At its end every copy is closed and no thread of a remote model is left.
    """
    factory = Factory()

    def opener(spec: ModelSpec, threads: int | None) -> Backend:
        return open_backend(spec, threads) if spec.remote else factory(spec, threads)

    engine = LocalEngine(specs, LIMITS, Metrics(), opener=opener)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
    assert factory.open == []
    assert remote_threads() == []


def remote_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("device remote:")]


def ask(engine: LocalEngine, text: str = "four", model: str = "far", caller: Caller = MINE) -> Any:
    return asyncio.ensure_future(engine.embed(EmbedCall(model, [Text(text)], caller=caller)))


def first(result: EmbedResult) -> float:
    return float(result.vectors[0][0])
