"""Which addresses may be asked."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Sequence

from embedway.egress.names import look_up

KNOWN_S = 5.0
"""For how long an answer of the name service is used again."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_TRANSLATED = tuple(
    map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96"))
)  # IPv4 within IPv6: compatible addresses, a network's own NAT64 (RFC 8215), stateless translation (RFC 7915)


class Refused(Exception):
    """This server does not ask there, and would not the next time. The text is the end of a sentence."""


class Addresses:
    """The addresses of hosts, looked up and checked. `private` allows those that are not public."""

    def __init__(self, private: bool) -> None:
        self._private = private
        self._known: dict[tuple[str, int], tuple[float, Sequence[str]]] = {}
        self._looking = asyncio.Lock()

    async def find(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host. Raises `Refused` unless all of them may be asked, `OSError` where there is none."""
        async with self._looking:  # several connections at once need one answer
            known = self._known.get((host, port))
            if known and time.monotonic() < known[0]:
                return known[1]
            found = await look_up(host, port)
            addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
            if not self._private and not all(is_public(address) for address in addresses):
                raise Refused("its address is not public")
            self._known = {(host, port): (time.monotonic() + KNOWN_S, addresses)}  # of one: a service has one host
            return addresses


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
