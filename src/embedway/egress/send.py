"""Sending to a service that was registered: kept connections, and redirects without credentials."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx2

from embedway.egress.address import Refused
from embedway.egress.wire import Answer, Wire, parse_url

REDIRECTS = 3
_SAME_REQUEST = (307, 308)  # RFC 9110 §15.4: these alone keep the method and the body
_ALWAYS = {"accept-encoding": "identity"}


class Sender:
    """Requests to one service. `private` allows addresses that are not public. Lives on one event loop."""

    def __init__(self, private: bool, connections: int) -> None:
        self._wire = Wire(private, connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._wire.close()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        most_bytes: int,
    ) -> Answer:
        """The answer, behind redirects too: to them no header goes but `content-type`.

        Names of `headers` are in lower case. The caller bounds the time. Raises `Refused`, `Broken`, `TooLarge`.
        """
        target, sent = parse_url(url), {**headers, **_ALWAYS}
        for _ in range(REDIRECTS + 1):
            answer = await self._wire.ask(method, target, sent, content, most_bytes)
            if answer.status not in _SAME_REQUEST or "location" not in answer.headers:
                return answer
            target = _next(target, answer.headers["location"])
            sent = {name: value for name, value in sent.items() if name == "content-type"} | _ALWAYS
        raise Refused(f"it leads through more than {REDIRECTS} redirects")


def _next(former: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads. Raises `Refused`."""
    try:
        target = parse_url(location, former)
    except Refused as error:
        raise Refused(f"it redirects to a URL that {error}") from error
    if (former.scheme, target.scheme) == ("https", "http"):
        raise Refused("it redirects to a URL without encryption")
    return target
