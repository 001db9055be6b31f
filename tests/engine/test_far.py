"""Remote models within the engine: slow, broken and busy ones are their own callers' trouble alone."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from embedway.errors import RemoteFailed, Unavailable
from embedway.types import Caller, EmbedCall, Text
from tests.backends.services import MANY, NEVER, Question, Reply, length_vectors, misbehaving

from .far import MINE, ask, far, first, serving
from .scenes import A, call, right, run, until


def test_a_service_that_never_answers_holds_up_nobody_else() -> None:
    """While it is waited for, a local model and another remote one answer as ever; then its caller is told."""

    async def scenario() -> None:
        with misbehaving(lambda question: NEVER) as dead, misbehaving() as alive:
            async with serving(A) as engine:
                engine.register([far(dead, "dead", timeout_s=1.5, attempts=1), far(alive)])
                waiting = ask(engine, model="dead")
                await until(lambda: dead.asked)
                started_s = time.monotonic()
                assert right(await engine.embed(call()))
                assert first(await ask(engine)) == 4.0
                assert time.monotonic() - started_s < 1
                with pytest.raises(RemoteFailed, match=r"did not answer within 1\.5 s"):
                    await waiting

    run(scenario())


def test_a_pass_is_one_wave_of_requests() -> None:
    """Long texts travel as many together as short ones. Where a request takes one text, a caller who comes while
    another's sixty are sent waits for a wave of eight, not for all.
    """

    async def scenario() -> None:
        def slow(question: Question) -> Reply:
            return dataclasses.replace(length_vectors(question), pause_s=0.05)

        with misbehaving() as service, misbehaving(slow) as single:
            async with serving() as engine:
                engine.register([far(service, body=MANY), far(single, "single")])
                await engine.embed(EmbedCall("far", [Text("x" * 3000)] * 40, caller=MINE))
                assert sorted(len(question.json()["input"]) for question in service.asked) == [8, 16, 16]
                bulk = asyncio.ensure_future(
                    engine.embed(EmbedCall("single", [Text("bulk")] * 60, caller=Caller("bulk", "mine")))
                )
                await until(lambda: single.asked)
                assert first(await ask(engine, "light", "single")) == 5.0
                assert len(single.asked) <= 40
                assert len((await bulk).vectors) == 60

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
