"""Registered models: whose names mean what, and how remote models come and go under calls."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.engine.engine import LocalEngine
from embedway.errors import Forbidden, InvalidInput, ModelNotFound, RemoteFailed, SettingsError, Unavailable
from embedway.observe import Metrics
from embedway.types import Caller, EmbedCall, EmbedResult, Image, ModelSpec, Output, Text
from tests.backends.services import NEVER, Misbehaving, Question, Reply, length_vectors, misbehaving, remote, vectors

from .scenes import LIMITS, A, B, Factory, call, right, run, until

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


def test_a_name_is_the_global_models_or_ones_own() -> None:
    """No namespace shadows a global name, and none sees another's."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving(A) as engine:
                engine.register([far(service), far(service, "a"), far(service, "theirs", "other")])
                assert first(await ask(engine)) == 4.0
                assert right(await engine.embed(call(caller=MINE)))
                for name, caller in (("theirs", MINE), ("far", Caller()), ("far", Caller(namespace="other"))):
                    with pytest.raises(ModelNotFound):
                        await ask(engine, model=name, caller=caller)
                assert engine.find("theirs", Caller(namespace="other")).spec.namespace == "other"
                assert [one.spec.label for one in engine.models(MINE)] == ["a", "mine/far", "mine/a"]

    run(scenario())


def test_one_name_in_two_namespaces_is_two_models() -> None:
    """Each answers its own namespace, over its own connections."""

    async def scenario() -> None:
        with misbehaving() as one, misbehaving(lambda question: vectors([7.0, 7.0])) as two:
            async with serving() as engine:
                engine.register([far(one), far(two, namespace="other")])
                assert first(await ask(engine)) == 4.0
                assert first(await ask(engine, caller=Caller(namespace="other"))) == 7.0
                assert (len(one.asked), len(two.asked)) == (1, 1)

    run(scenario())


def test_a_disabled_model_keeps_its_name_and_answers_nobody() -> None:
    """Callers are told so; the service is not asked; enabled again, it answers."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                engine.register([dataclasses.replace(far(service), disabled=True)])
                with pytest.raises(Forbidden, match="disabled"):
                    await ask(engine)
                assert engine.models(MINE) == []
                assert service.asked == []
                engine.register([far(service)])
                assert first(await ask(engine)) == 4.0

    run(scenario())


def test_registering_asks_nobody_and_a_call_opens() -> None:
    """Before it, the model is idle and has its facts."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                engine.register([far(service)])
                status = engine.find("far", MINE)
                assert (status.state, status.ready) == ("idle", True)
                assert status.facts
                assert status.facts.dimensions == 2
                assert (service.asked, remote_threads()) == ([], [])
                assert first(await ask(engine)) == 4.0
                assert engine.find("far", MINE).state == "ready"

    run(scenario())


def test_a_call_in_flight_is_answered_by_the_model_that_took_it() -> None:
    """Given a slow service, the model is replaced: the new one answers at once, the old one its own call, and ends."""

    async def scenario() -> None:
        def slow(question: Question) -> Reply:
            return dataclasses.replace(length_vectors(question), pause_s=0.5)

        with misbehaving(slow) as old, misbehaving(lambda question: vectors([7.0, 7.0])) as new:
            async with serving() as engine:
                engine.register([far(old)])
                created_s = engine.find("far", MINE).created_s
                before = ask(engine)
                await until(lambda: old.asked)
                engine.register([far(new)])
                assert first(await ask(engine)) == 7.0
                assert not before.done()
                assert first(await before) == 4.0
                assert engine.find("far", MINE).created_s == created_s
                await until(lambda: len(remote_threads()) == 1)

    run(scenario())


def test_a_model_that_is_taken_off_answers_what_it_has() -> None:
    """Its name ends at once, its thread with its last answer."""

    async def scenario() -> None:
        with misbehaving(lambda question: dataclasses.replace(length_vectors(question), pause_s=0.3)) as service:
            async with serving() as engine:
                engine.register([far(service)])
                before = ask(engine)
                await until(lambda: service.asked)
                engine.register([])
                with pytest.raises(ModelNotFound):
                    await ask(engine)
                assert first(await before) == 4.0
                await until(lambda: not remote_threads())

    run(scenario())


def test_what_has_not_changed_stays_open() -> None:
    """Registering the same model again costs no connection."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                for number in range(3):
                    engine.register([far(service), far(service, f"other-{number}")])
                    assert first(await ask(engine)) == 4.0
                assert {question.peer for question in service.asked} == {1}

    run(scenario())


def test_an_unused_model_closes_and_is_opened_again() -> None:
    """After its keep-alive nothing of it is left, neither thread nor connection."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                engine.register([dataclasses.replace(far(service), keep_alive_s=0.1)])
                for peer in (1, 2):
                    assert first(await ask(engine)) == 4.0
                    await until(lambda: engine.find("far", MINE).state == "idle" and not remote_threads())
                    assert service.asked[-1].peer == peer

    run(scenario())


def test_local_and_registered_models_leave_each_other_alone() -> None:
    """Reconciling changes the configuration's models only, registering the namespaces' only."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving(A) as engine:
                engine.register([far(service)])
                assert first(await ask(engine)) == 4.0
                changes = await engine.reconcile([B])
                assert (changes.loaded, changes.unloaded) == (["b"], ["a"])
                assert first(await ask(engine)) == 4.0
                assert {question.peer for question in service.asked} == {1}
                engine.register([])
                assert right(await engine.embed(call(model="b")))
                assert [one.spec.label for one in engine.models()] == ["b"]

    run(scenario())


def test_two_models_of_one_name_are_refused_whole() -> None:
    """What was registered stays."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                engine.register([far(service)])
                with pytest.raises(SettingsError, match="must be unique"):
                    engine.register([far(service, "x"), far(service, "x", dimensions=3)])
                assert first(await ask(engine)) == 4.0

    run(scenario())


def test_a_service_that_never_answers_holds_up_nobody_else() -> None:
    """While it is waited for, a local model and another remote one answer as ever; then its caller is told."""

    async def scenario() -> None:
        with misbehaving(lambda question: NEVER) as dead, misbehaving() as alive:
            async with serving(A) as engine:
                engine.register([far(dead, "dead", timeout_s=0.5, attempts=1), far(alive)])
                waiting = [ask(engine, model="dead") for _ in range(8)]
                await until(lambda: dead.asked)
                started_s = time.monotonic()
                assert right(await engine.embed(call()))
                assert first(await ask(engine)) == 4.0
                assert time.monotonic() - started_s < 0.4
                for one in waiting:
                    with pytest.raises(RemoteFailed, match=r"did not answer within 0\.5 s"):
                        await one

    run(scenario())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"body": '{"input": "%{input}"'}, "The template is no JSON"),
        ({"response": "result.embeddings"}, "The JSONPath cannot be read"),
    ],
)
def test_a_definition_that_cannot_be_used_is_said_so(given: dict[str, str], said: str) -> None:
    """Given one that was not checked, its callers get the reason; nothing else is hurt."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving(A) as engine:
                engine.register([far(service, **given)])
                with pytest.raises(Unavailable, match=said):
                    await ask(engine)
                assert right(await engine.embed(call()))

    run(scenario())


@pytest.mark.parametrize(
    ("kind", "item", "said"),
    [
        ("text_embedding", Image(b"x"), "reads texts only"),
        ("text_embedding", Text("x", outputs=Output.SPARSE), "gives no weights of terms"),
        ("text_sparse_embedding", Text("x"), "weighs terms"),
        ("image_embedding", Text("x"), "reads images only"),
        ("image_analyze", Image(b"x"), "says what a picture holds; it gives no vectors"),
    ],
)
def test_what_a_model_does_not_do_is_refused_before_its_service_is_asked(
    kind: Any, item: Text | Image, said: str
) -> None:
    """In words that say what it does."""

    async def scenario() -> None:
        with misbehaving() as service:
            async with serving() as engine:
                engine.register([far(service, kind=kind)])
                with pytest.raises(InvalidInput, match=said) as caught:
                    await engine.embed(EmbedCall("far", [item], caller=MINE))
                assert caught.value.item == 0
                assert service.asked == []

    run(scenario())


def test_stopping_ends_calls_and_connections() -> None:
    """Given a call to a service that never answers, stopping takes no longer than the drain limit and a moment."""

    async def scenario() -> None:
        with misbehaving(lambda question: NEVER) as dead, misbehaving() as alive:
            async with serving() as engine:
                engine.register([far(dead, "dead", timeout_s=0.3, attempts=1), far(alive)])
                assert first(await ask(engine)) == 4.0
                stuck = ask(engine, model="dead")
                await until(lambda: dead.asked)
                await engine.stop()
                with pytest.raises((RemoteFailed, Unavailable)):
                    await stuck

    run(scenario())
