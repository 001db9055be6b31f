"""Registered models: whose names mean what, and how remote models come and go under calls."""

from __future__ import annotations

import dataclasses

import pytest

from embedway.errors import Forbidden, ModelNotFound, SettingsError
from embedway.types import Caller
from tests.backends.services import Question, Reply, length_vectors, misbehaving, vectors

from .far import MINE, ask, far, first, remote_threads, serving
from .scenes import A, B, call, right, run, until


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
