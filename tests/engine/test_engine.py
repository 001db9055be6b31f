"""The engine with a backend that needs no weights: names, batches, faults, limits."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

from embedway.backends.base import Backend
from embedway.backends.fake import FakeBackend
from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFailed,
    ModelNotFound,
    Overloaded,
    SetupError,
    Unavailable,
)
from embedway.observe import Metrics
from embedway.types import EmbedCall, Features, ModelSpec, Output, Outputs, Priority, Text

SPEC = ModelSpec("fake", "fake:8", aliases=("other",))
LIMITS = EngineLimits(batch=Budget(256, 16), queue_tokens=1000, hang_s=5.0, drain_s=5.0, threads=2)


class Recorder(FakeBackend):
    """Remembers the texts of each batch."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.batches: list[list[str]] = []

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        self.batches.append(["".join(map(chr, features.ids)) for features in batch])
        return super().run(batch)


class Recording:
    """Opens a `Recorder` and keeps it at hand."""

    def __init__(self) -> None:
        self.backend = Recorder(SPEC)

    def __call__(self, spec: ModelSpec, threads: int | None) -> Backend:
        return self.backend


def call(*texts: str, **options: Any) -> EmbedCall:
    return EmbedCall(options.pop("model", "fake"), [Text(text) for text in texts], **options)


@contextlib.asynccontextmanager
async def running(
    specs: Sequence[ModelSpec] = (SPEC,),
    limits: EngineLimits = LIMITS,
    opener: Callable[[ModelSpec, int | None], Backend] = lambda spec, threads: FakeBackend(spec),
    on_hang: Callable[[], None] = lambda: None,
) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(specs, limits, Metrics(), on_hang, opener)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


def test_vectors_answer_their_texts_in_order() -> None:
    """Also where a call's texts travel in different batches."""

    async def scenario() -> None:
        async with running() as engine:
            texts = [f"text-{index}" * (1 + index % 20) for index in range(100)]
            together = await engine.embed(call(*texts))
            alone = [(await engine.embed(call(text))).vectors[0] for text in texts]
            assert np.array_equal(np.array(together.vectors), np.array(alone))
            assert together.usage.tokens == sum(len(text) for text in texts)

    run(scenario())


def test_an_alias_reaches_the_model_and_another_name_does_not() -> None:
    """The result carries the entry's own name."""

    async def scenario() -> None:
        async with running() as engine:
            assert (await engine.embed(call("a", model="other"))).model == "fake"
            with pytest.raises(ModelNotFound, match="nobody"):
                await engine.embed(call("a", model="nobody"))

    run(scenario())


def test_one_bad_item_fails_alone() -> None:
    """Given one poisoned text among 30 good ones of other callers, only its own call fails."""

    async def scenario() -> None:
        async with running() as engine:
            calls = [engine.embed(call("!fail" if index == 13 else f"good{index}")) for index in range(31)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert [index for index, one in enumerate(results) if isinstance(one, BaseException)] == [13]
            assert isinstance(results[13], ModelFailed)

    run(scenario())


def test_a_vector_that_is_not_finite_is_an_error_of_its_item() -> None:
    """And of no other in the batch."""

    async def scenario() -> None:
        async with running() as engine:
            good, bad = await asyncio.gather(
                engine.embed(call("fine")), engine.embed(call("!nan")), return_exceptions=True
            )
            assert isinstance(bad, ModelFailed)
            assert "not finite" in str(bad)
            assert not isinstance(good, BaseException)

    run(scenario())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the death is what is tested
def test_a_thread_that_died_is_started_again() -> None:
    """When a backend ends the thread, what was in flight fails with 503 and the next call is answered."""

    async def scenario() -> None:
        async with running() as engine:
            with pytest.raises(Unavailable):
                await engine.embed(call("!die"))
            for _ in range(40):
                if engine.models()[0].ready:
                    break
                await asyncio.sleep(0.05)
            assert len((await engine.embed(call("alive"))).vectors) == 1

    run(scenario())


def test_a_hang_is_noticed_and_reported_once() -> None:
    """Then everything fails with 503, the model is not ready, and new calls are refused at once."""
    hangs: list[float] = []

    async def scenario() -> None:
        limits = EngineLimits(LIMITS.batch, LIMITS.queue_tokens, hang_s=0.3, drain_s=0.2, threads=1)
        async with running(limits=limits, on_hang=lambda: hangs.append(time.monotonic())) as engine:
            stuck = asyncio.create_task(engine.embed(call("!hang")))
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(engine.embed(call("behind it")))
            for task in (stuck, waiting):
                with pytest.raises(Unavailable):
                    await task
            assert not engine.models()[0].ready
            with pytest.raises(Unavailable):
                await engine.embed(call("later"))

    run(scenario())
    assert len(hangs) == 1


def test_a_full_queue_refuses_before_any_work_and_says_when_to_come_back() -> None:
    """What is accepted is bounded in tokens; an idle model takes a call of any size."""

    async def scenario() -> None:
        async with running() as engine:
            first = asyncio.create_task(engine.embed(call("!sleep:0.2", *["x" * 300] * 10)))
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded) as refused:
                await engine.embed(call("one more"))
            assert refused.value.retry_after_s >= 1
            assert len((await first).vectors) == 11
            assert engine.models()[0].queued_tokens == 0

    run(scenario())


def test_a_caller_who_left_is_skipped() -> None:
    """Given a cancelled call in the queue, its items never reach the model."""

    async def scenario() -> None:
        recording = Recording()
        async with running(opener=recording) as engine:
            busy = asyncio.create_task(engine.embed(call("!sleep:0.2")))
            await asyncio.sleep(0.05)
            gone = asyncio.create_task(engine.embed(call("nobody waits")))
            await asyncio.sleep(0.05)
            gone.cancel()
            await busy
            await engine.embed(call("next"))
            seen = [text for batch in recording.backend.batches for text in batch]
            assert "next" in seen
            assert "nobodywaits" not in seen
            assert engine.models()[0].pending_items == 0

    run(scenario())


def test_a_deadline_ends_the_wait() -> None:
    """The item that nobody waits for any more is dropped from the queue."""

    async def scenario() -> None:
        async with running() as engine:
            busy = asyncio.create_task(engine.embed(call("!sleep:0.3")))
            await asyncio.sleep(0.05)
            with pytest.raises(DeadlineExceeded):
                await engine.embed(call("late", deadline_s=time.monotonic() + 0.05))
            await busy

    run(scenario())


def test_interactive_items_go_before_bulk() -> None:
    """Given bulk items that came first, a single query does not wait behind them."""

    async def scenario() -> None:
        recording = Recording()
        async with running(opener=recording) as engine:
            busy = asyncio.create_task(engine.embed(call("!sleep:0.2")))
            await asyncio.sleep(0.05)
            bulk = asyncio.create_task(engine.embed(call(*["b" * 30] * 20, priority=Priority.BULK)))
            await asyncio.sleep(0.02)
            query = asyncio.create_task(engine.embed(call("query")))
            await asyncio.gather(busy, bulk, query)
            later = recording.backend.batches[4:]  # the first three warm the model, the fourth sleeps
            assert later[0][0] == "query"

    run(scenario())


def test_stopping_lets_what_is_in_flight_finish() -> None:
    """SIGTERM's path: stop is called while a pass runs."""

    async def scenario() -> None:
        engine = LocalEngine([SPEC], LIMITS, Metrics(), opener=lambda spec, threads: FakeBackend(spec))
        await engine.start()
        working = asyncio.create_task(engine.embed(call("!sleep:0.2")))
        await asyncio.sleep(0.05)
        await engine.stop()
        assert len((await working).vectors) == 1

    run(scenario())


def test_dimensions_are_refused_where_the_model_was_not_trained_to_be_cut() -> None:
    """And cut with length 1 where it was, within its range."""

    async def scenario() -> None:
        nested = ModelSpec("nested", "fake:8", matryoshka=(4, 8))
        async with running([SPEC, nested]) as engine:
            with pytest.raises(InvalidInput, match="have 8 dimensions"):
                await engine.embed(call("a", dimensions=4))
            short = (await engine.embed(call("a", model="nested", dimensions=5))).vectors[0]
            assert short.shape == (5,)
            assert np.linalg.norm(short) == pytest.approx(1, abs=1e-6)
            with pytest.raises(InvalidInput, match="4 to 8"):
                await engine.embed(call("a", model="nested", dimensions=3))

    run(scenario())


def test_a_required_model_that_cannot_be_opened_stops_the_start_and_an_optional_one_does_not() -> None:
    """The optional one is listed with the sentence that says why, and asking for it says so."""
    good = SPEC
    for required in (True, False):
        bad = ModelSpec("bad", "fake:none", required=required)

        async def scenario(bad: ModelSpec = bad, required: bool = required) -> None:
            if required:
                with pytest.raises(SetupError, match="fake:none"):
                    async with running([good, bad]):
                        pass
                return
            async with running([good, bad]) as engine:
                assert "should read fake or fake:DIMENSIONS" in engine.find("bad").reason
                assert engine.find("bad").state == "failed"
                assert not engine.find("bad").ready
                with pytest.raises(Unavailable):
                    await engine.embed(call("a", model="bad"))
                assert len((await engine.embed(call("a"))).vectors) == 1

        run(scenario())


def test_models_take_turns_on_the_device() -> None:
    """Two models with work each get their share: the one that waits longest is next."""

    async def scenario() -> None:
        specs = [ModelSpec("a", "fake:4"), ModelSpec("b", "fake:4")]
        one_by_one = dataclasses.replace(LIMITS, batch=Budget(256, 1))
        async with running(specs, one_by_one) as engine:
            first = [asyncio.create_task(engine.embed(call("!sleep:0.02", model="a"))) for _ in range(10)]
            await asyncio.sleep(0.01)
            started = time.monotonic()
            await engine.embed(call("b", model="b"))
            assert time.monotonic() - started < 1.0
            assert not all(task.done() for task in first)
            await asyncio.gather(*first)

    run(scenario())


def test_outputs_are_asked_for_by_item() -> None:
    """Every item says what it wants; dense is the default."""
    assert Text("a").outputs is Output.DENSE


class Elsewhere(FakeBackend):
    """Says that it computes on the device that was asked for."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.facts = dataclasses.replace(self.facts, device=spec.device)


def test_models_on_different_devices_do_not_wait_for_each_other() -> None:
    """A long pass of one is still running when the other has answered; on one device they take turns."""

    async def run(other: str) -> float:
        specs = [ModelSpec("slow", "fake", device="cpu"), ModelSpec("quick", "fake", device=other)]
        engine = LocalEngine(specs, LIMITS, Metrics(), opener=lambda spec, _: Elsewhere(spec))
        await engine.start()
        slow = asyncio.create_task(engine.embed(call("!sleep:0.8", model="slow")))
        await asyncio.sleep(0.2)
        started_s = time.monotonic()
        await engine.embed(call("hello", model="quick"))
        waited_s = time.monotonic() - started_s
        await slow
        assert all(status.ready for status in engine.models())
        await engine.stop()
        return waited_s

    assert asyncio.run(run("cuda:0")) < 0.4 < asyncio.run(run("cpu"))
