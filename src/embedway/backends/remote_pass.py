"""One pass of a remote model: items become requests, side by side, and every item gets its outcome."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from embedway.backends.base import Outcome
from embedway.backends.remote import CONNECTIONS, MOST_TOGETHER
from embedway.backends.remote_answer import Setback
from embedway.backends.remote_definition import Definition, PhaseName
from embedway.backends.remote_retry import FAILURES, Breaker, persist
from embedway.backends.remote_service import LATE, Service
from embedway.backends.trace import sentence
from embedway.errors import Overloaded, RemoteFailed, Unavailable
from embedway.types import Outputs

log = logging.getLogger(__name__)

MOST_VAIN = 6
"""Requests for halves that may fail before any works: then it is not for one item."""
SLACK_S = 5.0
"""What a pass may take beyond all its attempts, for the pauses between them."""
_MOST_PAUSE_S = 60


class _Over(Exception):
    """What ends a pass: every other request would meet it too."""


@dataclass(slots=True)
class _Tally:
    """What came of the halves: the largest that `worked`, how many `failed`, whether an item was `guilty`."""

    worked: int = 0
    failed: int = 0
    guilty: bool = False


class Question(Protocol):
    """What a pass reads of a prepared item."""

    @property
    def given(self) -> str: ...

    @property
    def phase(self) -> PhaseName: ...

    @property
    def cost(self) -> int: ...


class Passes:
    """The passes of one model, one after another: they share its connections, what it was found to take at once, and
    how it fared last.
    """

    def __init__(self, definition: Definition, breaker: Breaker | None = None) -> None:
        self._definition = definition
        self._service = Service(definition, CONNECTIONS)
        self._host = definition.host[:200]
        self._breaker = breaker or Breaker()
        self._together = MOST_TOGETHER if definition.takes_many else 1

    async def close(self) -> None:
        await self._service.close()

    async def run(self, batch: Sequence[Question]) -> list[Outcome]:
        """An outcome for each item, after `timeout_s * attempts + SLACK_S` at the latest."""
        if (rest_s := self._breaker.rest_s) > 0:
            return [self._resting(rest_s)] * len(batch)
        remote = self._definition.remote
        until_s = time.monotonic() + remote.timeout_s * remote.attempts + SLACK_S
        one = _Pass(batch, until_s, self._service, self._breaker, remote.attempts)
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                await one.ask(self._grouped(batch), first_alone=self._breaker.trying)
        except TimeoutError:
            one.failure = one.failure or Setback("late", LATE)
        if one.taken:
            self._together = min(self._together, one.taken)
        if (rest_s := self._breaker.rest_s) > 0:
            log.warning("The remote service %s does not answer: it is left alone for %.0f s.", self._host, rest_s)
        return [self._outcome(found or one.failure) for found in one.found]

    def _grouped(self, batch: Sequence[Question]) -> list[list[int]]:
        """Places in the batch, by the requests that they go into: of one phase, and no more than it takes."""
        groups = []
        for phase in ("build", "search"):
            places = [place for place, one in enumerate(batch) if one.phase == phase]
            groups += [places[start : start + self._together] for start in range(0, len(places), self._together)]
        return groups

    def _outcome(self, found: Outputs | Setback | None) -> Outcome:
        if isinstance(found, Outputs):
            return found
        setback = found or Setback("answer", "gave no answer")
        said = sentence(self._definition, setback)
        if setback.cause == "throttled":
            return Overloaded(said, min(_MOST_PAUSE_S, max(1, math.ceil(setback.retry_after_s or 1))))
        return RemoteFailed(said)

    def _resting(self, rest_s: float) -> Unavailable:
        return Unavailable(
            f"The remote service {self._host} failed {FAILURES} times in a row: it is asked again in "
            f"{max(1, math.ceil(rest_s))} s."
        )


class _Pass:
    """One pass. `found[i]` is what came of `batch[i]`; `failure` of all for which nothing came. `taken` is how many
    inputs a request may have, where it turned out to be fewer than were sent.
    """

    def __init__(
        self, batch: Sequence[Question], until_s: float, service: Service, breaker: Breaker, attempts: int
    ) -> None:
        self.found: list[Outputs | Setback | None] = [None] * len(batch)
        self.failure: Setback | None = None
        self.taken = 0
        self._batch = batch
        self._until_s = until_s
        self._service = service
        self._breaker = breaker
        self._attempts = attempts

    async def ask(self, groups: Sequence[list[int]], first_alone: bool) -> None:
        """Ask for all groups, so many at once. What would meet all of them ends the pass."""
        waiting = list(reversed(groups))

        async def work() -> None:
            while waiting and self.failure is None:
                await self._settle(waiting.pop())

        try:
            if first_alone:
                await self._settle(waiting.pop())
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(CONNECTIONS, len(waiting))):
                    tasks.create_task(work())
        except* _Over:
            pass

    async def _settle(self, places: list[int]) -> None:
        """Ask for one group, with all attempts; where it fails for its content, for its parts."""
        setback = await self._try(places, self._attempts)
        if setback is None:
            return
        if len(places) == 1:
            self.found[places[0]] = setback
            return
        tally = _Tally()
        await self._split(places, setback, tally)
        if setback.cause == "input" and not tally.guilty:
            self.taken = min(self.taken or tally.worked, tally.worked)

    async def _split(self, places: list[int], setback: Setback, tally: _Tally) -> None:
        """Ask for the halves of what failed, until what fails stands alone, or nothing works at all."""
        attempts = self._attempts if setback.cause == "input" else 1  # what failed with all of them gets no more
        for half in (places[: len(places) // 2], places[len(places) // 2 :]):
            vain = not tally.worked and tally.failed >= MOST_VAIN
            failed = setback if vain else await self._try(half, attempts)
            if failed is None:
                tally.worked = max(tally.worked, len(half))
            elif vain or len(half) == 1:
                tally.failed, tally.guilty = tally.failed + 1, True
                for place in half:
                    self.found[place] = failed
            else:
                tally.failed += 1
                await self._split(half, failed, tally)

    async def _try(self, places: list[int], attempts: int) -> Setback | None:
        """Ask for items in one request. What went wrong, unless it is the end of the pass."""
        some = [self._batch[place] for place in places]

        async def attempt() -> list[Outputs]:
            costs = [one.cost for one in some]
            return await self._service.ask(some[0].phase, [one.given for one in some], costs, self._until_s)

        try:
            outputs = await persist(attempt, attempts, self._until_s, self._breaker)
        except Setback as setback:
            if setback.general:
                self.failure = setback
                raise _Over from setback
            return setback
        for place, one in zip(places, outputs, strict=True):
            self.found[place] = one
        return None
