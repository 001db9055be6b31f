"""Fetching what a caller names: the host must be allowed by name."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedway.egress.address import Refused
from embedway.errors import InvalidInput

if TYPE_CHECKING:
    import httpx2

REDIRECTS = 3
_REDIRECTED = (301, 302, 303, 307, 308)
_HEADERS = {"accept": "*/*", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class EgressRules:
    """`hosts` are names that may be asked, with `*` for any part; none at all switches fetching off. `private` allows
    addresses that are not public. `max_bytes` of one answer, `timeout_s` for all of it, redirects included.
    """

    hosts: Sequence[str] = ()
    private: bool = False
    max_bytes: int = 20 * 2**20
    timeout_s: float = 10.0


class Egress:
    """Fetches URLs within rules. Every refusal and failure is an `InvalidInput` that says what to do."""

    def __init__(self, rules: EgressRules) -> None:
        self._rules = rules

    async def fetch(self, url: str) -> bytes:
        """The body behind an http or https URL."""
        if not self._rules.hosts:
            raise InvalidInput("This server fetches no URLs: send the data itself, in base64 or as a data URI.")
        from embedway.egress.wire import (
            Broken,
            TooLarge,
        )  # where nothing is asked, the server starts without HTTP's code

        try:
            async with asyncio.timeout(self._rules.timeout_s):
                return await self._follow(url)
        except TimeoutError as error:
            raise InvalidInput(f"The URL did not answer within {self._rules.timeout_s:g} s.") from error
        except TooLarge as error:
            raise InvalidInput(
                f"The URL gives more than {self._rules.max_bytes:,} bytes: send a smaller image."
            ) from error
        except Broken as error:
            raise InvalidInput("The URL cannot be fetched: the connection failed.") from error

    async def _follow(self, url: str) -> bytes:
        target = self._check(url)
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(target)
            if isinstance(answer, bytes):
                return answer
            target = self._check(answer, target)
        raise InvalidInput(f"The URL leads through more than {REDIRECTS} redirects.")

    def _check(self, url: str, base: httpx2.URL | None = None) -> httpx2.URL:
        """The URL, if its form and its host are allowed."""
        from embedway.egress.wire import parse_url

        try:
            target = parse_url(url, base)
        except Refused as error:
            raise InvalidInput(f"A URL {error}.") from error
        if not any(fnmatch.fnmatchcase(target.host.lower(), host.lower()) for host in self._rules.hosts):
            raise InvalidInput(f"This server does not fetch from {target.host[:200]}.")
        return target

    async def _ask(self, target: httpx2.URL) -> bytes | str:
        """The body, or where the answer redirects to."""
        from embedway.egress.wire import Wire

        # A wire for each request: nothing of another one can come in.
        async with Wire(self._rules.private) as wire:
            try:
                answer = await wire.ask("GET", target, _HEADERS, None, self._rules.max_bytes)
            except Refused as error:
                raise InvalidInput(f"This server does not fetch from {target.host[:200]}: {error}.") from error
        if answer.status in _REDIRECTED and "location" in answer.headers:
            return answer.headers["location"]
        if answer.status != 200:
            raise InvalidInput(f"The URL answers with status {answer.status}.")
        return answer.body
