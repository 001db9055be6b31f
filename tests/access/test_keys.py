"""API keys: what they look like, which are known, how far they reach."""

import asyncio
import dataclasses

import pytest

from embedway.access.apikeys import PREFIX_LENGTH, ApiKey, ApiKeys, Scope, make_id, make_token, mask
from embedway.access.keys import bearer_token, check_token
from embedway.errors import StoreUnavailable, Unauthenticated
from embedway.settings import hash_secret

NOW_S = 1_800_000_000.0
ONE, TWO = "OS-one", "OS-two"


def stored(token: str, **more: object) -> ApiKey:
    key = ApiKey("key-1", "key-1", hash_secret(token), token[:PREFIX_LENGTH])
    return dataclasses.replace(key, **more)


@pytest.mark.parametrize("header", ["Bearer OS-one", "bearer OS-one", "BEARER  OS-one", " Bearer OS-one "])
def test_the_scheme_in_any_case(header: str) -> None:
    """As RFC 9110 has it."""
    assert bearer_token(header) == ONE


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic OS-one", "OS-one"])
def test_what_is_no_bearer_token(header: str | None) -> None:
    """Another scheme, or nothing."""
    assert bearer_token(header) is None


def test_a_configured_key_is_found() -> None:
    """An admin key is told from another, and two keys are two flows."""
    keys = ApiKeys([hash_secret(ONE)], [hash_secret(TWO)])
    one, two = keys.find(ONE, NOW_S), keys.find(TWO, NOW_S)
    assert (one.admin, two.admin) == (False, True)
    assert one.id != two.id
    assert two.who == f"admin-key:{hash_secret(TWO)[:8]}"


@pytest.mark.parametrize("token", ["OS-onee", "os-one", "OS-on", "x"])
def test_anything_else_is_refused(token: str) -> None:
    """And the key is not in the message."""
    with pytest.raises(Unauthenticated) as refused:
        ApiKeys([hash_secret(ONE)], []).find(token, NOW_S)
    assert "os-one" not in refused.value.message.lower()


def test_keys_that_begin_alike_are_told_apart() -> None:
    """The prefix finds candidates; the whole key decides."""
    keys = ApiKeys([], [])
    first, second = "OS-abcdef1", "OS-abcdef2"
    keys.take([stored(first, id="a"), stored(second, id="b")])
    assert (keys.find(first, NOW_S).id, keys.find(second, NOW_S).id) == ("a", "b")
    with pytest.raises(Unauthenticated):
        keys.find("OS-abcdef3", NOW_S)


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"enabled": False}, "disabled"), ({"expires_s": NOW_S}, "expired"), ({"revoked": True}, "revoked")],
)
def test_a_key_that_is_no_longer_good(change: dict[str, object], problem: str) -> None:
    """It is refused, says why, and still keeps the server closed."""
    keys = ApiKeys([], [])
    keys.take([stored(ONE, **change)])
    with pytest.raises(Unauthenticated, match=problem):
        keys.find(ONE, NOW_S)
    assert keys.exist


def test_a_door_that_was_shut_stays_shut() -> None:
    """Also where the database is emptied or replaced under a running server."""
    keys = ApiKeys([], [])
    keys.take([])
    assert not keys.exist
    keys.take([stored(ONE)])
    keys.take([])
    assert keys.exist
    with pytest.raises(Unauthenticated):
        keys.find(ONE, NOW_S)


def test_before_the_store_was_read_nobody_can_tell() -> None:
    """A key of the configuration is known all the same; an unknown one is not called wrong."""
    keys = ApiKeys([hash_secret(ONE)], [])
    assert keys.known
    keys.expect()
    assert not keys.known
    assert keys.find(ONE, NOW_S)
    with pytest.raises(StoreUnavailable):
        keys.find(TWO, NOW_S)
    keys.take([])
    with pytest.raises(Unauthenticated):
        keys.find(TWO, NOW_S)


def test_a_call_waits_for_the_store() -> None:
    """As soon as it was read the wait is over."""

    async def play() -> None:
        keys = ApiKeys([], [])
        keys.expect()
        asyncio.get_running_loop().call_later(0.05, keys.take, [])
        await asyncio.wait_for(keys.settle(), 1)
        assert keys.known

    asyncio.run(play())


def test_a_use_is_noted_once_a_minute() -> None:
    """However often the key is used."""
    keys = ApiKeys([], [])
    keys.take([stored(ONE)])
    for second in range(59):
        keys.find(ONE, NOW_S + second)
    assert keys.take_used() == {"key-1": NOW_S}
    assert keys.take_used() == {}
    keys.find(ONE, NOW_S + 60)
    assert keys.take_used() == {"key-1": NOW_S + 60}


def test_made_keys_are_random_and_masked() -> None:
    """The mask shows six letters of forty."""
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == len({make_id() for _ in range(100)}) == 100
    token = tokens.pop()
    assert token.startswith("OS-")
    assert len(token) == 43
    assert mask("OS-v0aaaaaaaa6vvs") == "OS-v0********6vvs"
    assert mask(token)[3:5] + mask(token)[-4:] == token[3:5] + token[-4:]
    assert len(mask(token)) == 17


def test_a_scope_without_bounds_reaches_everything() -> None:
    """And its home is the default workspace."""
    scope = Scope()
    assert scope.reaches("any")
    assert scope.permits("searchplat:GetTextEmbedding")
    assert scope.home == "default"


def test_a_scope_reaches_what_it_names() -> None:
    """Actions are patterns in any case; a bracket means itself."""
    scope = Scope(("a", "b"), (), ("searchplat:GetText*", "x:[ab]"))
    assert (scope.home, scope.reaches("b"), scope.reaches("c")) == ("a", True, False)
    assert scope.permits("searchplat:gettextembedding")
    assert not scope.permits("searchplat:GetDocumentRank")
    assert scope.permits("x:[ab]")
    assert not scope.permits("x:a")


def test_a_deployments_token_must_be_its_own() -> None:
    """A deployment without one asks for none."""
    check_token("t", hash_secret("t"))
    check_token(None, None)
    for wrong in (None, "", "T"):
        with pytest.raises(Unauthenticated):
            check_token(wrong, hash_secret("t"))
