"""HTTP over connections that lead to checked addresses."""

from __future__ import annotations

import functools
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpcore2
import httpx2

from embedway.egress.address import Addresses, Refused

KEEP_S = 30.0
"""For how long an unused connection is kept."""
ERROR_BYTES = 64 * 2**10
"""Read of an answer that is no success; the rest is left."""
PATIENCE_S = 2.5
"""In which one of several addresses must accept a connection before the next is tried."""
MAX_URL_CHARACTERS = 4096
_HOST = re.compile(r"[\w.:-]+", re.ASCII)  # a name after IDNA, or an address
_FAILED = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError, UnicodeError)
_GONE = (httpcore2.ReadError, httpcore2.WriteError, httpcore2.RemoteProtocolError)


class Broken(Exception):
    """The connection failed, or broke, or no HTTP came over it; another try may do better. The text is what the host
    does, for everyone.
    """


class TooLarge(Exception):
    """The answer has more bytes than it may have."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Wire:
    """A few kept connections, each to an address that was checked when it was made. Lives on one event loop."""

    def __init__(self, private: bool, connections: int = 1) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=connections,
            keepalive_expiry=KEEP_S,
            network_backend=_Checked(Addresses(private)),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._pool.aclose()

    async def ask(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes | None, most_bytes: int
    ) -> Answer:
        """One request and its whole answer; a redirect is an answer like any other.

        Raises `Refused`, `Broken`, and `TooLarge` for a success of more than `most_bytes`; of other answers only the
        beginning is read. A kept connection that was closed meanwhile is replaced.
        """
        sent = [(b"host", url.netloc)] + [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        while True:
            progress = _Progress()
            try:
                return await self._ask(method, _core(url), sent, content, most_bytes, progress)
            except _GONE as error:
                if progress.fresh or progress.answered:
                    raise Broken(_reason(error)) from error
            except _FAILED as error:
                raise Broken(_reason(error)) from error

    async def _ask(
        self,
        method: str,
        url: httpcore2.URL,
        headers: list[tuple[bytes, bytes]],
        content: bytes | None,
        most_bytes: int,
        progress: _Progress,
    ) -> Answer:
        told = {"trace": progress.note}
        async with self._pool.stream(method, url, headers=headers, content=content, extensions=told) as response:
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            good = 200 <= response.status < 300
            body = bytearray()
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > (most_bytes if good else ERROR_BYTES):
                    if good:
                        raise TooLarge
                    break
        return Answer(response.status, found, bytes(body))


class _Progress:
    """How far a request has come: whether its connection is `fresh`, and whether it was `answered`."""

    def __init__(self) -> None:
        self.fresh = False
        self.answered = False

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        self.fresh |= event == "connection.connect_tcp.started"
        self.answered |= event == "http11.receive_response_headers.complete"


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were just looked up and checked; the name remains for TLS and HTTP."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        *others, last = await self._addresses.find(host, port)
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, PATIENCE_S, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)


def parse_url(url: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """A URL that can be asked, `base` being what a relative one belongs to. Raises `Refused`."""
    try:
        target = httpx2.URL(url) if base is None else base.join(url)
        host, port = target.raw_host.decode("ascii"), target.port
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise Refused("is none that can be read") from error
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise Refused("must begin with http:// or https:// and hold no user name")
    if not _HOST.fullmatch(host) or not (port is None or 0 < port < 2**16):
        raise Refused("has a host or a port that cannot be")
    if len(url) > MAX_URL_CHARACTERS:
        raise Refused(f"may have {MAX_URL_CHARACTERS:,} characters at most")
    return target.copy_with(fragment=None)


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "has a name that leads to no address"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "has a certificate that is not trusted"
    return (
        "cannot be reached" if isinstance(error, httpcore2.ConnectError) else "closed the connection, or gave no HTTP"
    )


def _core(url: httpx2.URL) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once: that takes tens of milliseconds."""
    return ssl.create_default_context()
