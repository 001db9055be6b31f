"""Models come and go while others serve, and no call notices but by its wait."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time

import pytest

from embedway.engine.engine import LocalEngine
from embedway.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelFilesError,
    ModelNotFound,
    NoRoom,
    Overloaded,
    SettingsError,
    Unavailable,
)
from embedway.observe import Metrics
from embedway.types import ModelSpec

from .scenes import LIMITS, A, B, Factory, Stream, call, need, right, run, serving, state, until


def kept(spec: ModelSpec, seconds: float) -> ModelSpec:
    return dataclasses.replace(spec, keep_alive_s=seconds)


def newer(spec: ModelSpec, revision: str = "2") -> ModelSpec:
    return dataclasses.replace(spec, source="fake:12", revision=revision)


def test_a_model_is_loaded_and_unloaded_while_another_serves() -> None:
    """Its names begin and end with it; the other one answers all the while."""

    async def scenario() -> None:
        async with serving() as engine:
            stream = Stream(engine, "a")
            for _ in range(20):
                await engine.load(dataclasses.replace(B, aliases=("bee",)))
                assert right(await engine.embed(call(model="bee")))
                await engine.unload("bee")
                with pytest.raises(ModelNotFound):
                    await engine.embed(call(model="b"))
            assert [status.spec.name for status in engine.models()] == ["a"]
            assert await stream.end() > 20

    run(scenario())


def test_a_swap_under_a_stream_of_calls_fails_none() -> None:
    """Twenty times; each call is answered by the old copy or by the new one, and every old copy is closed."""

    async def scenario() -> None:
        factory = Factory()
        async with serving(factory=factory) as engine:
            stream = Stream(engine, "a", callers=8)
            for number in range(20):
                await engine.load(newer(A, str(number)) if number % 2 else A)
                assert len(factory.open) == 1
            assert await stream.end() > 50
            assert factory.most == 2
            facts = engine.find("a").facts
            assert facts
            assert facts.dimensions == 12

    run(scenario())


def test_what_the_old_copy_accepted_is_answered_by_it() -> None:
    """A long pass runs on while the new copy already answers; only then the old one is closed."""

    async def scenario() -> None:
        factory = Factory()
        async with serving(factory=factory) as engine:
            long = asyncio.create_task(engine.embed(call("!sleep:0.3")))
            await asyncio.sleep(0.05)
            swap = asyncio.create_task(engine.load(newer(A)))
            await until(lambda: len(factory.open) == 2)
            assert len((await long).vectors[0]) == 8
            await swap
            assert len((await engine.embed(call())).vectors[0]) == 12
            assert len(factory.open) == 1

    run(scenario())


def test_a_load_that_fails_leaves_the_old_copy_serving() -> None:
    """And a model that is new is not there afterwards."""

    async def scenario() -> None:
        async with serving() as engine:
            stream = Stream(engine, "a")
            with pytest.raises(ModelFilesError, match=r"no config\.json"):
                await engine.load(newer(A, "broken"))
            with pytest.raises(ModelFilesError):
                await engine.load(newer(B, "broken"))
            assert await stream.end() > 0
            assert state(engine) == "ready"
            assert engine.find("a").spec == A
            assert [status.spec.name for status in engine.models()] == ["a"]

    run(scenario())


def test_a_clash_of_names_is_refused() -> None:
    """Also with the names that a swap under way is about to take."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([A, B], factory) as engine:
            for spec in (dataclasses.replace(A, aliases=("b",)), ModelSpec("c", "fake", aliases=("a",))):
                with pytest.raises(SettingsError, match="must be unique"):
                    await engine.load(spec)
            factory.gate = threading.Event()
            swap = asyncio.create_task(engine.load(dataclasses.replace(newer(A), aliases=("soon",))))
            await until(lambda: len(factory.opened) == 3)
            with pytest.raises(SettingsError, match="'soon'"):
                await engine.load(dataclasses.replace(B, aliases=("soon",)))
            factory.gate.set()
            await swap
            assert engine.find("soon").spec.name == "a"
            assert len(factory.opened) == 3

    run(scenario())


def test_an_idle_model_is_unloaded_and_the_next_call_waits_for_its_load() -> None:
    """All callers wait for one load; meanwhile and before, the model is listed with its facts, and ready."""

    async def scenario() -> None:
        factory, metrics = Factory(), Metrics()
        async with serving([kept(A, 0.1)], factory, metrics=metrics) as engine:
            await until(lambda: state(engine) == "idle")
            assert factory.open == []
            status = engine.find("a")
            assert status.ready
            assert status.facts
            assert status.facts.dimensions == 8
            assert status.reserved_bytes == 0
            factory.gate = threading.Event()
            calls = [asyncio.create_task(engine.embed(call(f"text {n}"))) for n in range(20)]
            await until(lambda: len(factory.opened) == 2)
            assert state(engine) == "loading"
            assert engine.find("a").ready
            factory.gate.set()
            assert all(right(answer, f"text {n}") for n, answer in enumerate(await asyncio.gather(*calls)))
            assert len(factory.opened) == 2
        sample = metrics.registry.get_sample_value("embedway_unloads_total", {"model": "a", "cause": "idle"})
        assert sample == 1

    run(scenario())


def test_a_model_in_use_is_not_idle() -> None:
    """The keep-alive counts from the last answer; a pass that is longer than it is no reason to unload."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(A, 0.1)], factory) as engine:
            await engine.embed(call("!sleep:0.4"))
            assert len(factory.opened) == 1
            for _ in range(8):
                await asyncio.sleep(0.05)
                await engine.embed(call())
            assert len(factory.opened) == 1
            await until(lambda: state(engine) == "idle")

    run(scenario())


def test_a_keep_alive_of_nothing_under_a_stream_of_calls_fails_none() -> None:
    """Loads and unloads follow each other without pause, each for whoever asks next."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(A, 0.0), kept(B, 0.001)], factory) as engine:
            stream = Stream(engine, "a", "b", callers=3)
            for _ in range(30):
                await engine.embed(call())
                await asyncio.sleep(0.03)
            assert await stream.end() > 50

    run(scenario())


def test_deadlines_hold_while_a_model_is_loaded_again() -> None:
    """The caller gives up in time; the load goes on for the others."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(A, 0.05)], factory) as engine:
            await until(lambda: state(engine) == "idle")
            factory.gate = threading.Event()
            patient = asyncio.create_task(engine.embed(call()))
            with pytest.raises(DeadlineExceeded):
                await engine.embed(call(deadline_s=time.monotonic() + 0.05))
            gone = asyncio.create_task(engine.embed(call()))
            await asyncio.sleep(0.02)
            gone.cancel()
            factory.gate.set()
            assert right(await patient)

    run(scenario())


def test_those_who_wait_for_a_load_are_bounded_like_a_queue() -> None:
    """Above the queue's tokens a call is refused with 429 before any work."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(A, 0.05)], factory, queue_tokens=100) as engine:
            await until(lambda: state(engine) == "idle")
            factory.gate = threading.Event()
            first = asyncio.create_task(engine.embed(call("x" * 240)))
            await asyncio.sleep(0.02)
            with pytest.raises(Overloaded):
                await engine.embed(call("y" * 240))
            factory.gate.set()
            await first

    run(scenario())


def test_a_wrong_call_loads_no_idle_model() -> None:
    """What the model cannot answer is known from its facts."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(A, 0.05)], factory) as engine:
            await until(lambda: state(engine) == "idle")
            with pytest.raises(InvalidInput):
                await engine.embed(call(dimensions=4))
            assert len(factory.opened) == 1

    run(scenario())


def test_a_reload_that_fails_says_why_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the folder's place; once the files are well, a call brings the model back."""
    monkeypatch.setattr("embedway.engine.life.RETRY_S", 0.1)

    async def scenario() -> None:
        factory = Factory()
        async with serving([kept(dataclasses.replace(A, revision="1"), 0.05)], factory) as engine:
            await until(lambda: state(engine) == "idle")
            entry = engine._shelf.find("a")
            well, entry.spec = entry.spec, dataclasses.replace(entry.spec, revision="broken")
            calls = [engine.embed(call()) for _ in range(3)]
            for error in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(error, Unavailable)
            assert len(factory.opened) == 2
            status = engine.find("a")
            assert (status.ready, status.state) == (False, "failed")
            assert status.reason == "a has no config.json; give the folder that holds it."
            with pytest.raises(Unavailable):
                await engine.embed(call())
            assert len(factory.opened) == 2, "within RETRY_S nothing is tried"
            entry.spec = well
            await asyncio.sleep(0.15)
            assert engine.find("a").ready, "else a balancer would never send the call that tries again"
            assert right(await engine.embed(call()))

    run(scenario())


def test_a_model_without_room_is_refused_with_both_figures() -> None:
    """And the others serve on; what is unloaded makes room."""

    async def scenario() -> None:
        gib = 2**30
        async with serving([A], memory_bytes=3 * gib, estimator=need(2 * gib)) as engine:
            with pytest.raises(NoRoom, match=r"needs about 2\.0 GiB.*budget of 3\.0 GiB only 1\.0 GiB"):
                await engine.load(B)
            assert right(await engine.embed(call()))
            await engine.unload("a")
            await engine.load(B)
            assert right(await engine.embed(call(model="b")))
            assert engine.find("b").reserved_bytes == 2 * gib

    run(scenario())


def test_idle_models_with_a_keep_alive_make_room_the_longest_idle_first() -> None:
    """None without a keep-alive does, and none goes where it would not be enough."""

    async def scenario() -> None:
        specs = [A, kept(B, 100), kept(ModelSpec("c", "fake:8"), 100)]
        async with serving(specs, memory_bytes=30) as engine:
            await engine.embed(call(model="c"))
            await engine.embed(call(model="b"))
            await engine.load(ModelSpec("d", "fake:8"))
            assert [state(engine, name) for name in "abcd"] == ["ready", "ready", "idle", "ready"]
            assert right(await engine.embed(call(model="c")))
            assert [state(engine, name) for name in "abcd"] == ["ready", "idle", "ready", "ready"]
            await engine.load(kept(A, 100))
            engine._life._estimate = need(31)
            with pytest.raises(NoRoom):
                await engine.load(ModelSpec("e", "fake:8"))
            assert [state(engine, name) for name in "abcd"] == ["ready", "idle", "ready", "ready"]

    run(scenario())


def test_an_idle_model_without_room_is_refused_for_now() -> None:
    """503 with the figures while the room is taken; it stays idle, and ready as soon as there is room."""

    async def scenario() -> None:
        async with serving([kept(A, 0.05)], memory_bytes=10) as engine:
            await until(lambda: state(engine) == "idle")
            await engine.load(B)
            with pytest.raises(Unavailable, match="memory budget"):
                await engine.embed(call())
            assert state(engine) == "idle"
            await engine.unload("b")
            assert right(await engine.embed(call()))

    run(scenario())


def test_a_swap_without_room_for_both_is_refused_and_never_doubled() -> None:
    """Unless it is asked to drain: then one copy at a time, and calls wait for the new one; none fails."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([A], factory, memory_bytes=15) as engine:
            stream = Stream(engine, "a")
            with pytest.raises(NoRoom, match="A second copy"):
                await engine.load(newer(A))
            assert factory.opened == [A]
            for number in range(5):
                await engine.load(newer(A, str(number)), drain=True)
            assert await stream.end() > 0
            assert factory.most == 1
            assert len((await engine.embed(call())).vectors[0]) == 12

    run(scenario())


def test_a_drained_swap_that_fails_brings_the_old_model_back() -> None:
    """Calls that came meanwhile get their answer from it."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([A], factory, memory_bytes=15) as engine:
            stream = Stream(engine, "a")
            with pytest.raises(ModelFilesError):
                await engine.load(newer(A, "broken"), drain=True)
            assert await stream.end() > 0
            assert engine.find("a").spec == A
            assert state(engine) == "ready"

    run(scenario())


def test_what_a_swap_does_not_touch_changes_in_place() -> None:
    """Aliases and keep-alive need no second copy."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([A], factory) as engine:
            await engine.load(dataclasses.replace(A, aliases=("other",), keep_alive_s=0.05))
            assert right(await engine.embed(call(model="other")))
            assert len(factory.opened) == 1
            await until(lambda: state(engine) == "idle")

    run(scenario())


def test_reconcile_makes_the_models_those_that_are_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """And says what it did; what fails is named, and the rest goes on."""
    caplog.set_level(logging.CRITICAL)

    async def scenario() -> None:
        factory = Factory()
        async with serving([A, B, ModelSpec("c", "fake:8")], factory) as engine:
            stream = Stream(engine, "a", "b")
            bad = ModelSpec("bad", "fake", revision="broken")
            changed = dataclasses.replace(B, aliases=("bee",))
            changes = await engine.reconcile([bad, newer(A), changed, ModelSpec("d", "fake:8")])
            assert (changes.loaded, changes.swapped, changes.changed) == (["d"], ["a"], ["b"])
            assert changes.unloaded == ["c"]
            assert "no config.json" in changes.failed["bad"]
            assert str(changes) == "loaded d; swapped a; changed b; unloaded c; failed bad"
            assert [status.spec.name for status in engine.models()] == ["bad", "a", "b", "d"]
            assert state(engine, "bad") == "failed"
            before = len(factory.opened)
            again = await engine.reconcile([bad, newer(A), changed, ModelSpec("d", "fake:8")])
            assert list(again.failed) == ["bad"]
            assert len(factory.opened) == before + 1, "only what failed is tried again"
            with pytest.raises(SettingsError):
                await engine.reconcile([A, ModelSpec("a", "fake:9")])
            assert await stream.end() > 0

    run(scenario())


def test_an_alias_moves_to_another_model_without_a_failed_call() -> None:
    """It stays with its owner until the model that gets it is loaded."""

    async def scenario() -> None:
        async with serving([dataclasses.replace(A, aliases=("default",))]) as engine:
            stream = Stream(engine, "default")
            for number in range(10):
                first, second = (A, B) if number % 2 else (B, A)
                wanted = [dataclasses.replace(first, aliases=("default",)), second]
                await engine.reconcile(wanted[:: 1 if number % 3 else -1])
                assert engine.find("default").spec.name == first.name
            assert await stream.end() > 0

    run(scenario())


def test_a_model_whose_swap_failed_keeps_the_names_that_nobody_else_was_given() -> None:
    """Given a configuration that moves an alias away from it: the alias goes, the model stays."""

    async def scenario() -> None:
        async with serving([dataclasses.replace(A, aliases=("x", "y")), B]) as engine:
            stream = Stream(engine, "a", "b", "x", "y")
            changes = await engine.reconcile([newer(A, "broken"), dataclasses.replace(B, aliases=("x",))])
            assert list(changes.failed) == ["a"]
            owners = {name: engine.find(name).spec.name for name in ("a", "b", "x", "y")}
            assert owners == {"a": "a", "b": "b", "x": "b", "y": "a"}
            assert await stream.end() > 0

    run(scenario())


def test_stopping_while_models_are_being_loaded() -> None:
    """Waiting calls get 503, the load is given up, and what it opens is closed as soon as it is there."""

    async def scenario() -> None:
        factory = Factory()
        engine = LocalEngine([kept(A, 0.05)], LIMITS, Metrics(), opener=factory, estimator=need(10))
        await engine.start()
        await until(lambda: state(engine) == "idle")
        factory.gate = threading.Event()
        waiting = asyncio.create_task(engine.embed(call()))
        loading = asyncio.create_task(engine.load(B))
        await until(lambda: len(factory.opened) == 3)
        await engine.stop()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable, match="shutting down"):
            await loading
        factory.gate.set()
        await until(lambda: not factory.open)
        assert factory.most > 0

    run(scenario())


def test_unloading_waits_for_a_caller_who_left_and_whose_pass_still_runs() -> None:
    """The copy is not closed under the pass."""

    async def scenario() -> None:
        factory = Factory()
        async with serving([A, B], factory) as engine:
            gone = asyncio.create_task(engine.embed(call("!sleep:0.3")))
            await asyncio.sleep(0.05)
            gone.cancel()
            await engine.unload("a")
            assert len(factory.open) == 1
            assert right(await engine.embed(call(model="b")))

    run(scenario())


def test_metrics_follow_the_models() -> None:
    """How many are loaded, what is reserved, how long loads took; what has gone leaves no gauge behind."""

    async def scenario() -> None:
        metrics = Metrics()
        async with serving([A, B], metrics=metrics) as engine:
            text = metrics.render(engine.models()).decode()
            assert "embedway_models_loaded 2.0" in text
            assert "embedway_memory_reserved_bytes 20.0" in text
            assert 'embedway_load_seconds_count{model="a"} 1.0' in text
            await engine.unload("a")
            text = metrics.render(engine.models()).decode()
            assert "embedway_models_loaded 1.0" in text
            assert "embedway_memory_reserved_bytes 10.0" in text
            assert 'embedway_unloads_total{cause="asked",model="a"} 1.0' in text
            assert 'embedway_model_ready{backend="fake",dtype="fp32",model="a"}' not in text

    run(scenario())


def test_a_copy_whose_pass_hangs_is_not_closed_under_it() -> None:
    """Unloading it returns once its calls have failed; its memory stays reserved, since nobody can free it."""

    async def scenario() -> None:
        factory, hangs = Factory(), list[str]()
        limits = dataclasses.replace(LIMITS, hang_s=0.3, drain_s=0.2)
        metrics = Metrics()
        engine = LocalEngine([A], limits, metrics, lambda: hangs.append("hung"), factory, need(10))
        await engine.start()
        stuck = asyncio.create_task(engine.embed(call("!hang")))
        await asyncio.sleep(0.05)
        await engine.unload("a")
        with pytest.raises(Unavailable, match="hangs"):
            await stuck
        assert hangs == ["hung"]
        assert metrics.registry.get_sample_value("embedway_memory_reserved_bytes") == 10
        await engine.stop()
        assert len(factory.open) == 1
        assert factory.misused == []

    run(scenario())
