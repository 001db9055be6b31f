"""Each signed request is believed once: its nonce is spent, in this process and in the store.

A nonce is remembered as long as the date that it was signed with is fresh; after that the date refuses the request.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable

from embedway.access.signature import SKEW_S, Claim, check_fresh
from embedway.errors import Overloaded, SignatureRefused, StoreUnavailable

Spend = Callable[[str, float, str], Awaitable[bool]]
"""`spend(mark, expires_s, key_id)`: note the mark in the store; False when it is there already."""
CLOCKS_S = 120.0
"""How far the clocks of servers on one database may lie apart."""
MAX_HELD = 200_000
"""Marks that a process holds while the store is away; some 40 MB."""
_PAUSE_S = 1.0


class Nonces:
    """`count_unshared` is called for each request that is believed without the store's word.

    The store remembers what it has taken; the process itself remembers what is under way, and what the store could
    not take.
    """

    def __init__(self, count_unshared: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
        self._count_unshared = count_unshared
        self._clock = clock
        self._held: dict[str, float] = {}
        self._store: Spend | None = None
        self._away_until_s = 0.0

    def use(self, store: Spend | None) -> None:
        """From now on ask this store."""
        self._store = store
        self._away_until_s = 0.0

    async def spend(self, claim: Claim, needs_store: bool) -> None:
        """Spend the nonce of a request whose signature is right. Raises `SignatureRefused` when it was used before.

        Without the store, one that `needs_store` is refused with `StoreUnavailable`; another is judged by what this
        process has seen.
        """
        check_fresh(claim.date_s, self._clock())  # the body may have taken its time
        expires_s = claim.date_s + SKEW_S + CLOCKS_S
        mark = hashlib.sha256(f"{claim.key_id}\n{claim.nonce}".encode()).hexdigest()
        if self._held.get(mark, 0.0) > self._clock():
            raise _used()
        self._hold(mark, expires_s)
        try:
            fresh = await self._ask(mark, expires_s, claim.key_id, needs_store)
        except StoreUnavailable:
            if needs_store:
                raise
            self._count_unshared()
            return
        del self._held[mark]
        if not fresh:
            raise _used()

    async def _ask(self, mark: str, expires_s: float, key_id: str, needs_store: bool) -> bool:
        """Ask the store, but not a silent one for every request that can do without: each would wait for its limit."""
        if self._store is None or (self._clock() < self._away_until_s and not needs_store):
            raise StoreUnavailable("The database that remembers nonces cannot be reached: try again later.")
        try:
            return await self._store(mark, expires_s, key_id)
        except StoreUnavailable:
            self._away_until_s = self._clock() + _PAUSE_S
            raise

    def _hold(self, mark: str, expires_s: float) -> None:
        if len(self._held) >= MAX_HELD:
            now_s = self._clock()
            self._held = {one: until_s for one, until_s in self._held.items() if until_s > now_s}
        if len(self._held) >= MAX_HELD:
            raise Overloaded("Too many signed requests while the database is away: use an API key.", 60)
        self._held[mark] = expires_s


def _used() -> SignatureRefused:
    return SignatureRefused("x-acs-signature-nonce was used before: sign each request anew.", "SignatureNonceUsed")
