"""One loaded model: its queue, its batches, its answers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embedway.backends.base import Backend, Outcome
from embedway.engine.batch import Budget, take
from embedway.engine.device import Device
from embedway.engine.fair import Tag, Tags
from embedway.engine.readers import Readers
from embedway.engine.ticket import Ticket, Waiting
from embedway.errors import EmbedwayError, InvalidInput, ModelFailed, Overloaded, Unavailable
from embedway.observe import Metrics
from embedway.types import EmbedCall, Facts, Features, Image, Item, Outputs, Timings
from embedway.vectors import Floats, check_finite, late_interaction

log = logging.getLogger(__name__)

PREPARED_TOGETHER = 64
"""Items that one thread prepares in one go: enough to make the hand-over cheap, few enough to let others in between."""
IMAGES_TOGETHER = 4
"""The same where images are among them, which take a thousand times as long."""
FLOWS = 4
"""How many callers may fill their part of a queue before there is no room for anyone."""
LONG_LINE, LIGHT = 2, 8
"""A line is long from so many full batches on; a caller who has at most this part of it is a light one."""
CHARACTERS_PER_TOKEN = 3
"""For the reservation before the tokens are counted; low, so that a reservation is rather too large."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one model's queue may hold: `queue_tokens` accepted and not yet answered for each caller, `FLOWS` times as
    many for all, and `budget` in one batch.
    """

    queue_tokens: int
    budget: Budget


@dataclass(frozen=True, slots=True)
class Answer:
    """`outputs[i]` and `features[i]` belong to `call.items[i]`."""

    outputs: Sequence[Outputs]
    features: Sequence[Features]
    timings: Timings


class Batcher:
    """Takes calls on the event loop, runs them on the device's thread."""

    def __init__(
        self, name: str, backend: Backend, device: Device, readers: Readers, limits: Limits, metrics: Metrics
    ) -> None:
        self.name = name
        self.limits = limits
        self.pending_items = 0
        self.queued_tokens = 0
        self.preparing = 0
        self._backend = backend
        self._device = device
        self._readers = readers
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._queue: list[Waiting] = []  # most urgent first; guarded by the device's lock
        self._running: Sequence[Waiting] = ()
        self._tokens_per_s = 1000.0
        self._tags = Tags()  # guarded by the device's lock, like the queue
        self._flow_tokens: Counter[str] = Counter()

    @property
    def queued_items(self) -> int:
        return len(self._queue)

    async def submit(self, call: EmbedCall) -> Answer:
        """Prepare, queue and compute a call's items. Raises `Overloaded` before any of it, `InvalidInput`,
        `ModelFailed`, `Unavailable`."""
        reserved, flow = estimate_tokens(call.items, self._backend.facts), call.caller.flow
        self._admit(flow, reserved, len(call.items))
        ticket = Ticket(len(call.items), call.compare_with)
        try:
            started_s = time.monotonic()
            features = await self._prepare(call.items, flow)
            actual = sum(one.cost for one in features)
            self._reserve(flow, actual - reserved)
            reserved = actual
            arrived_s = time.monotonic()
            self._enqueue(call, ticket, features, arrived_s)
            outputs = await ticket.outputs()
            return Answer(outputs, features, Timings(arrived_s - started_s, ticket.queue_s, ticket.run_s))
        finally:
            ticket.left = True
            self._reserve(flow, -reserved)
            self.pending_items -= len(call.items)

    # On the device's thread -------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        return bool(self._queue)

    def step(self) -> None:
        batch = self._take()
        if not batch:
            return
        self._running = batch
        started_s = time.monotonic()
        outcomes = self._run(batch)
        self._running = ()
        self._loop.call_soon_threadsafe(self._deliver, batch, outcomes, started_s, time.monotonic())

    def _take(self) -> Sequence[Waiting]:
        with self._device.lock:
            queue = [waiting for waiting in self._queue if not waiting.ticket.left]
            chosen = take(queue, self._budget(queue))
            batch = [queue[index] for index in chosen]
            taken = set(chosen)
            self._queue = [waiting for index, waiting in enumerate(queue) if index not in taken]
            if batch:
                self._tags.serve(batch[0].tag)
            if not self._queue:
                self._tags.rest()
            return batch

    def _budget(self, queue: Sequence[Waiting]) -> Budget:
        """What the next batch may hold: half where a caller with little to ask comes before another's long line, so
        that the answer does not wait for a full batch more.
        """
        whole = self.limits.budget
        if not queue or self.queued_tokens < LONG_LINE * whole.tokens:
            return whole
        next_flows = {waiting.flow for waiting in queue[:LIGHT]}
        light = any(self._flow_tokens[flow] * LIGHT <= self.queued_tokens for flow in next_flows)
        return Budget(max(1, whole.tokens // 2), whole.items) if light else whole

    def _run(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """One outcome for each item. A batch that fails is halved until only the guilty item is left."""
        try:
            outputs = self._backend.run([waiting.features for waiting in batch])
            if len(outputs) != len(batch):
                raise ModelFailed(f"The backend answered {len(outputs)} items of {len(batch)}.")
            return [
                _compared(_checked(one), waiting.ticket.compare_with)
                for one, waiting in zip(outputs, batch, strict=True)
            ]
        except Exception as error:  # whatever native code raises must not end the thread
            if len(batch) > 1:
                half = len(batch) // 2
                return [*self._run(batch[:half]), *self._run(batch[half:])]
            log.exception("A pass of model '%s' failed for one item of %d tokens.", self.name, batch[0].cost)
            return [error if isinstance(error, EmbedwayError) else ModelFailed("The model failed on this input.")]

    # On the event loop ------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[Waiting], outcomes: Sequence[Outcome], started_s: float, ended_s: float) -> None:
        tokens = sum(waiting.cost for waiting in batch)
        self._tokens_per_s += 0.1 * (tokens / max(ended_s - started_s, 1e-6) - self._tokens_per_s)
        self._metrics.batch_items.labels(self.name).observe(len(batch))
        self._metrics.batch_tokens.labels(self.name).observe(tokens)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            ticket = waiting.ticket
            ticket.queue_s = max(ticket.queue_s, started_s - waiting.arrived_s)
            ticket.run_s = max(ticket.run_s, ended_s - started_s)
            if isinstance(outcome, EmbedwayError):
                self._metrics.failures.labels(self.name).inc()
                ticket.fail(outcome)
            else:
                ticket.put(waiting.index, outcome)

    def abort(self, error: EmbedwayError, everything: bool) -> None:
        with self._device.lock:
            doomed = list(self._running)
            self._running = ()
            if everything:
                doomed += self._queue
                self._queue = []
        for waiting in doomed:
            waiting.ticket.fail(error)

    def _reserve(self, flow: str, tokens: int) -> None:
        self.queued_tokens += tokens
        self._flow_tokens[flow] += tokens
        if not self._flow_tokens[flow]:
            del self._flow_tokens[flow]

    def _admit(self, flow: str, tokens: int, items: int) -> None:
        """Refuse before any work what the queue has no room for: the caller's part of it, or all of it.

        Who waits for nothing yet may ask for more than a part, and an idle model takes a call of any size.
        """
        if not self._device.alive:
            raise Unavailable(f"The model '{self.name}' is being restarted: try again.")
        limit, own = self.limits.queue_tokens, self._flow_tokens[flow]
        if (own and own + tokens > limit) or (self.queued_tokens and self.queued_tokens + tokens > FLOWS * limit):
            wait_s = min(60, max(1, math.ceil(self.queued_tokens / self._tokens_per_s)))
            raise Overloaded(f"Too much is waiting for the model '{self.name}': try again in {wait_s} s.", wait_s)
        self._reserve(flow, tokens)
        self.pending_items += items

    async def _prepare(self, items: Sequence[Item], flow: str) -> Sequence[Features]:
        together = IMAGES_TOGETHER if any(isinstance(item, Image) for item in items) else PREPARED_TOGETHER
        if len(items) <= together:
            return await self._readers.do(flow, self._prepare_some, items, 0)
        parts = [
            self._readers.do(flow, self._prepare_some, items[start : start + together], start)
            for start in range(0, len(items), together)
        ]
        return [features for part in await asyncio.gather(*parts) for features in part]

    def _prepare_some(self, items: Sequence[Item], start: int) -> list[Features]:
        with self._device.lock:
            self.preparing += 1  # its caller may leave meanwhile; the backend must not be closed under it
        try:
            return self._prepare_each(items, start)
        finally:
            with self._device.lock:
                self.preparing -= 1

    def _prepare_each(self, items: Sequence[Item], start: int) -> list[Features]:
        features = []
        for index, item in enumerate(items, start):
            try:
                features.append(self._backend.prepare(item))
            except InvalidInput as error:
                raise InvalidInput(error.message, item=index) from error
        return features

    def _enqueue(self, call: EmbedCall, ticket: Ticket, features: Sequence[Features], arrived_s: float) -> None:
        flow, priority = call.caller.flow, call.priority
        with self._device.lock:
            for index, one in enumerate(features):
                tag = self._tags.stamp(flow, priority, one.cost)
                self._queue.append(Waiting(ticket, index, one, arrived_s, flow, tag))
            self._queue.sort(key=_tag)  # two sorted runs are merged; equal tags keep their order
            self._device.lock.notify()


def estimate_tokens(items: Sequence[Item], facts: Facts) -> int:
    """What the items will cost, roughly and rather too much, before anything is prepared."""
    return sum(
        facts.image_tokens
        if isinstance(item, Image)
        else min(facts.max_tokens, 2 + item.characters // CHARACTERS_PER_TOKEN)
        for item in items
    )


def _tag(waiting: Waiting) -> Tag:
    return waiting.tag


def _compared(outcome: Outcome, query: Floats | None) -> Outcome:
    """Token vectors replaced by how well they cover the query's, where one is given."""
    if query is None or isinstance(outcome, EmbedwayError) or outcome.tokens is None:
        return outcome
    score = np.array([late_interaction(query, outcome.tokens)], dtype=np.float32)
    return dataclasses.replace(outcome, tokens=None, scores=score)


def _checked(outputs: Outcome) -> Outcome:
    if isinstance(outputs, EmbedwayError):
        return outputs
    try:
        sparse = outputs.sparse.weights if outputs.sparse else None
        for part in (outputs.dense, outputs.scores, outputs.tokens, outputs.states, sparse):
            if part is not None:
                check_finite(part)
    except ModelFailed as error:
        return error
    return outputs
