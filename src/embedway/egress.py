"""The one way out: what a caller names as a URL is fetched here, or not at all.

A host must be allowed by name. Its addresses are looked up once, all of them must be public, and the connection goes to
one of those very addresses, so that no second answer of the name service can lead elsewhere (DNS rebinding). A redirect
is a new URL and passes the same checks; nothing of the caller's goes along. Sizes and times are bounded.
"""

from __future__ import annotations

import asyncio
import fnmatch
import functools
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedway.errors import InvalidInput

if TYPE_CHECKING:
    import httpx2

REDIRECTS = 3
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_TRANSLATED = tuple(
    map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96"))
)  # IPv4 within IPv6: compatible addresses, a network's own NAT64 (RFC 8215), stateless translation (RFC 7915)
_REDIRECTED = (301, 302, 303, 307, 308)


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
        import httpx2  # where it is not needed, the server starts without it

        try:
            async with asyncio.timeout(self._rules.timeout_s):
                return await self._follow(url)
        except TimeoutError as error:
            raise InvalidInput(f"The URL did not answer within {self._rules.timeout_s:g} s.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            raise InvalidInput("The URL cannot be fetched: the connection failed.") from error

    async def _follow(self, url: str) -> bytes:
        target = self._check(url)
        for _ in range(REDIRECTS + 1):
            answer = await self._ask(target)
            if isinstance(answer, bytes):
                return answer
            target = self._check(str(target.join(answer)))
        raise InvalidInput(f"The URL leads through more than {REDIRECTS} redirects.")

    def _check(self, url: str) -> httpx2.URL:
        """The URL, if its form and its host are allowed."""
        import httpx2

        target = httpx2.URL(url)
        if target.scheme not in ("http", "https") or not target.host or target.userinfo:
            raise InvalidInput("A URL must begin with http:// or https:// and hold no user name.")
        if not any(fnmatch.fnmatchcase(target.host.lower(), host.lower()) for host in self._rules.hosts):
            raise InvalidInput(f"This server does not fetch from {target.host[:200]}.")
        return target

    async def _ask(self, target: httpx2.URL) -> bytes | str:
        """The body, or where the answer redirects to."""
        import httpx2

        address = await self._resolve(target)
        literal = f"[{address}]" if ":" in address else address
        # A client for each request: no cookie, proxy or credential of another one can come in.
        async with (
            httpx2.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=self._rules.timeout_s, verify=_trusted()
            ) as client,
            client.stream(
                "GET",
                target.copy_with(host=literal),
                headers={"host": target.netloc.decode("ascii"), "accept-encoding": "identity"},
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            if response.status_code in _REDIRECTED and "location" in response.headers:
                return str(response.headers["location"])
            if response.status_code != 200:
                raise InvalidInput(f"The URL answers with status {response.status_code}.")
            return await self._read(response)

    async def _resolve(self, target: httpx2.URL) -> str:
        """An address of the host. Raises `InvalidInput` unless all of them may be asked."""
        port = target.port or (443 if target.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in found]
        if not self._rules.private and not all(is_public(address) for address in addresses):
            raise InvalidInput(f"This server does not fetch from {target.host[:200]}: its address is not public.")
        return addresses[0]

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._rules.max_bytes:
                raise InvalidInput(f"The URL gives more than {self._rules.max_bytes:,} bytes: send a smaller image.")
        return bytes(body)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The system's certificates, read once: that takes tens of milliseconds."""
    return ssl.create_default_context()


def is_public(address: str) -> bool:
    """Whether anyone on the internet could be there: no loopback, private, link-local or reserved address, also where
    it is written as IPv6.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if found in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        if found.is_site_local or any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast
