"""How long and where a nonce is remembered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from embedway.access import nonces as module
from embedway.access.nonces import CLOCKS_S, Nonces
from embedway.access.signature import SKEW_S, Claim
from embedway.errors import Overloaded, SignatureRefused, StoreUnavailable


@dataclass
class Scene:
    """A clock that stands, a store that can be away, and what was counted."""

    now_s: float = 1_000_000.0
    away: bool = False
    asked: int = 0
    unshared: int = 0
    kept: set[str] = field(default_factory=set)

    def nonces(self) -> Nonces:
        nonces = Nonces(self.count, lambda: self.now_s)
        nonces.use(self.spend)
        return nonces

    def count(self) -> None:
        self.unshared += 1

    async def spend(self, mark: str, expires_s: float, key_id: str) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        fresh = mark not in self.kept
        self.kept.add(mark)
        return fresh

    def claim(self, nonce: str, key_id: str = "AK") -> Claim:
        return Claim("ACS3-HMAC-SHA256", key_id, (), ("host",), b"", nonce, self.now_s, "")


def spend(nonces: Nonces, claim: Claim, needs_store: bool = False) -> None:
    asyncio.run(nonces.spend(claim, needs_store))


def test_the_store_remembers_for_all() -> None:
    """What one process has spent, another does not accept; each key has nonces of its own."""
    scene = Scene()
    one, two = scene.nonces(), scene.nonces()
    spend(one, scene.claim("a"))
    for nonces in (one, two):
        with pytest.raises(SignatureRefused, match="used before"):
            spend(nonces, scene.claim("a"))
    spend(two, scene.claim("a", "ANOTHER"))
    assert scene.unshared == 0


def test_while_the_store_is_away_the_process_remembers() -> None:
    """And goes on to, when the store is back and does not know."""
    scene = Scene(away=True)
    nonces = scene.nonces()
    spend(nonces, scene.claim("a"))
    with pytest.raises(SignatureRefused):
        spend(nonces, scene.claim("a"))
    scene.away, scene.now_s = False, scene.now_s + 10
    with pytest.raises(SignatureRefused):
        spend(nonces, scene.claim("a"))
    assert scene.unshared == 1


def test_a_store_that_is_away_is_not_asked_for_every_call() -> None:
    """Each would wait for its limit; who needs it asks all the same."""
    scene = Scene(away=True)
    nonces = scene.nonces()
    for number in range(10):
        spend(nonces, scene.claim(str(number)))
    assert (scene.asked, scene.unshared) == (1, 10)
    with pytest.raises(StoreUnavailable):
        spend(nonces, scene.claim("control"), needs_store=True)
    assert scene.asked == 2
    scene.away, scene.now_s = False, scene.now_s + 2
    spend(nonces, scene.claim("later"))
    assert (scene.asked, scene.unshared) == (3, 10)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has expired is forgotten first; then new calls are refused, rather than old ones believed twice."""
    monkeypatch.setattr(module, "MAX_HELD", 3)
    scene = Scene(away=True)
    nonces = scene.nonces()
    for number in range(3):
        spend(nonces, scene.claim(str(number)))
    with pytest.raises(Overloaded):
        spend(nonces, scene.claim("one too many"))
    scene.now_s += SKEW_S + CLOCKS_S + 1
    spend(nonces, scene.claim("after them"))


def test_of_many_at_once_one_is_believed() -> None:
    """Whether the store is there or not."""
    for away in (False, True):
        scene = Scene(away=away)
        nonces = scene.nonces()

        async def rush(nonces: Nonces = nonces, scene: Scene = scene) -> list[BaseException | None]:
            calls = (nonces.spend(scene.claim("a"), False) for _ in range(20))
            return await asyncio.gather(*calls, return_exceptions=True)

        assert [outcome for outcome in asyncio.run(rush()) if outcome is None] == [None]


def test_a_body_that_takes_its_time_does_not_make_a_request_fresh_again() -> None:
    """Given a head that was in order a moment before its date grows stale, then a slow body: it is refused."""
    scene = Scene()
    nonces, claim = scene.nonces(), scene.claim("a")
    scene.now_s += SKEW_S - 1
    spend(nonces, claim)
    scene.now_s += 3
    with pytest.raises(SignatureRefused) as refused:
        spend(nonces, claim)
    assert refused.value.reason == "InvalidTimeStamp.Expired"
