"""Whose turn it is."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.engine.fair import PRICE, Tag, Tags, Turns
from embedway.errors import Overloaded
from embedway.observe import Metrics
from embedway.types import Caller, EmbedCall, ModelSpec, Priority, Text

from .test_engine import Recording

costs = st.integers(1, 500)
LIMITS = EngineLimits(batch=Budget(256, 16), queue_tokens=1000, hang_s=5.0, drain_s=5.0, threads=2)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 20))


def serve(tags: Tags, queue: list[tuple[Tag, str]]) -> str:
    """Take the smallest tag off the queue; the flow that it belongs to."""
    queue.sort(key=lambda one: one[0])
    tag, flow = queue.pop(0)
    tags.serve(tag)
    return flow


@given(st.lists(costs, min_size=1, max_size=200), st.lists(costs, max_size=5), st.integers(0, 50))
def test_a_newcomer_waits_for_nobodys_backlog(backlog: list[int], served: list[int], cost: int) -> None:
    """Whatever one flow has waiting, the first item of another is the next to be served."""
    tags = Tags()
    queue = [(tags.stamp("bulk", Priority.INTERACTIVE, one), "bulk") for one in backlog]
    for _ in served:
        if queue:
            serve(tags, queue)
    tag = tags.stamp("newcomer", Priority.INTERACTIVE, cost + 1)
    assert all(tag <= other for other, _ in queue)


@given(st.lists(costs, min_size=20, max_size=100), st.lists(costs, min_size=20, max_size=100))
def test_two_flows_with_backlogs_get_the_same_share(one: list[int], other: list[int]) -> None:
    """At any time the tokens served of two that wait differ by no more than their largest items."""
    tags = Tags()
    queue: list[tuple[Tag, str, int]] = []
    for flow, backlog in (("one", one), ("other", other)):
        queue += [(tags.stamp(flow, Priority.INTERACTIVE, cost), flow, cost) for cost in backlog]
    queue.sort(key=lambda waiting: waiting[0])
    left, shares = Counter(flow for _, flow, _ in queue), Counter({"one": 0, "other": 0})
    for _, flow, cost in queue:
        if not all(left.values()):
            break
        shares[flow] += cost
        left[flow] -= 1
        assert abs(shares["one"] - shares["other"]) <= max(one) + max(other)


def test_bulk_gets_its_small_share() -> None:
    """Interactive items go first, and bulk is never starved: it has the share that `PRICE` gives it."""
    tags = Tags()
    queue = [(tags.stamp("key", Priority.BULK, 10), Priority.BULK) for _ in range(100)]
    queue += [(tags.stamp("key", Priority.INTERACTIVE, 10), Priority.INTERACTIVE) for _ in range(100)]
    queue.sort(key=lambda waiting: waiting[0])
    first = Counter(priority for _, priority in queue[:90])
    assert first[Priority.BULK] == 90 / (1 + PRICE[Priority.BULK])


def test_a_flow_that_was_served_while_nobody_waited_owes_nothing() -> None:
    """Having used an idle model is no debt."""
    tags = Tags()
    for _ in range(100):
        tags.serve(tags.stamp("busy", Priority.INTERACTIVE, 500))
    tags.rest()
    assert tags.stamp("busy", Priority.INTERACTIVE, 1) == tags.stamp("new", Priority.INTERACTIVE, 1)


def test_flows_take_turns() -> None:
    """Given one flow with ten pieces of work and another that comes later with one, the second waits for one turn."""

    async def scenario() -> None:
        turns, order = Turns(1), []

        async def work(flow: str) -> None:
            async with turns.turn(flow):
                order.append(flow)
                await asyncio.sleep(0)

        await asyncio.gather(*(work("bulk") for _ in range(10)), work("query"))
        assert order.index("query") <= 2
        assert Counter(order) == {"bulk": 10, "query": 1}

    run(scenario())


def test_who_leaves_gives_the_turn_on() -> None:
    """A caller that goes while it waits, or just as its turn comes, holds up nobody."""

    async def scenario() -> None:
        turns = Turns(1)
        entered = asyncio.Event()

        async def hold() -> None:
            async with turns.turn("holder"):
                await entered.wait()

        async def pass_through() -> None:
            async with turns.turn("other"):
                pass

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0)
        leaving = [asyncio.create_task(pass_through()) for _ in range(3)]
        staying = asyncio.create_task(pass_through())
        await asyncio.sleep(0)
        leaving[0].cancel()
        entered.set()
        await holder
        leaving[1].cancel()  # its turn has just come
        await asyncio.wait_for(staying, 1)
        await asyncio.wait_for(pass_through(), 1)

    run(scenario())


def call(flow: str, *texts: str) -> EmbedCall:
    return EmbedCall("m", [Text(text) for text in texts], caller=Caller(flow=flow))


def test_one_callers_full_queue_is_not_anothers() -> None:
    """A caller whose part of the queue is full is refused; another is accepted, and answered first."""

    async def scenario() -> None:
        engine = LocalEngine([ModelSpec("m", "fake:8")], LIMITS, Metrics())
        await engine.start()
        try:
            busy = asyncio.create_task(engine.embed(call("bulk", "!sleep:0.2")))
            await asyncio.sleep(0.05)
            bulk = [asyncio.create_task(engine.embed(call("bulk", *["b" * 30] * 20))) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded):
                await engine.embed(call("bulk", *["b" * 30] * 40))
            await engine.embed(call("other", "query"))
            assert busy.done()
            assert not any(one.done() for one in bulk)
            await asyncio.gather(*bulk)
            await engine.embed(call("bulk", *["b" * 30] * 30))  # its part is free again
        finally:
            await engine.stop()

    run(scenario())


def test_all_callers_together_are_bounded() -> None:
    """Many flows, each within its part, do not fill memory."""

    async def scenario() -> None:
        engine = LocalEngine([ModelSpec("m", "fake:8")], LIMITS, Metrics())
        await engine.start()
        try:
            busy = asyncio.create_task(engine.embed(call("0", "!sleep:0.2")))
            await asyncio.sleep(0.05)
            calls = [engine.embed(call(str(number), *["b" * 30] * 30)) for number in range(1, 20)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            refused = [one for one in answers if isinstance(one, Overloaded)]
            assert 0 < len(refused) < len(answers)
            await busy
        finally:
            await engine.stop()

    run(scenario())


def test_a_light_caller_is_not_made_to_wait_for_a_full_batch() -> None:
    """Before another's long line its item goes in half a batch; the line itself fills whole ones."""

    async def scenario() -> None:
        recording = Recording()
        limits = dataclasses.replace(LIMITS, queue_tokens=100_000)
        engine = LocalEngine([ModelSpec("m", "fake:8")], limits, Metrics(), opener=recording)
        await engine.start()
        try:
            busy = asyncio.create_task(engine.embed(call("bulk", "!sleep:0.2")))
            await asyncio.sleep(0.05)
            bulk = asyncio.create_task(engine.embed(call("bulk", *["b" * 30] * 60)))
            await asyncio.sleep(0.05)
            await engine.embed(call("other", "q" * 30))
            await asyncio.gather(busy, bulk)
            tokens = [sum(map(len, batch)) for batch in recording.backend.batches[4:]]  # the first warm it, and sleep
            assert max(tokens) > LIMITS.batch.tokens / 2
            own = next(batch for batch in recording.backend.batches if "q" * 30 in batch)
            assert sum(map(len, own)) <= LIMITS.batch.tokens / 2
        finally:
            await engine.stop()

    run(scenario())
