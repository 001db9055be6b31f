"""Who must prove what: every credential on both planes, with and without keys. The store is a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from embedway.access import apikeys, keyrecords
from embedway.access.accesskeys import KeyPair
from embedway.access.apikeys import Scope
from embedway.access.records import add_key, revoke_key
from embedway.observe import Metrics
from embedway.settings import AccessKey, Permission, Settings, hash_secret
from embedway.store.actor import Actor
from embedway.store.database import Database
from embedway.store.vault import open_vault
from tests.postgres import Postgres

from .signing import Signer
from .site import Ask, site

API_KEY, ADMIN_KEY = "OS-a-key", "OS-an-admin-key"
DATA = "/v3/openapi/workspaces/my%20ws/text-embedding"
CONTROL = "/openapi/ha3/instances/ha-cn-x/models"
BODY = b'{"input":"hi"}'
READER = Permission(("searchengine:List*", "searchengine:get*"), ("acs:searchengine:*:*:instance/ha-cn-x",))
CONFIGURED = (AccessKey("AK", "secret"), AccessKey("READER", "secret", (READER,)))


def settings(folder: Path, keyed: bool, **more: Any) -> Settings:
    keys = {"api_key_sha256": (hash_secret(API_KEY),), "admin_key_sha256": (hash_secret(ADMIN_KEY),)} if keyed else {}
    return Settings(access_key=CONFIGURED, database_url=f"sqlite:///{folder}/e.db", **keys, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database with a good, an expired and a revoked key."""
    place = tmp_path_factory.mktemp("planes")
    own = settings(place, keyed=False)
    database = Database(own.database_url or "")
    sealed = open_vault(own, database).seal("stored secret")
    for name, expires_s in (("STORED", None), ("EXPIRED", time.time() - 1), ("REVOKED", None)):
        pair = KeyPair(name, "stored secret", (Permission(),), expires_s)
        database.run_now(lambda connection, pair=pair: add_key(connection, pair, sealed, "", "test"))
    database.run_now(lambda connection: revoke_key(connection, "REVOKED", "test"))
    database.close()
    return place


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def as_vendor(token: str) -> dict[str, str]:
    return {"x-acs-bearer-token": token, "x-acs-signature-type": "BEARERTOKEN"}


Show = Callable[[str, str, bytes], Mapping[str, str]]
CREDENTIALS: dict[str, Show | Mapping[str, str]] = {
    "nothing": {},
    "a wrong key": bearer("wrong"),
    "an API key": bearer(API_KEY),
    "an API key as the vendor's client sends it": as_vendor(API_KEY),
    "an admin key": bearer(ADMIN_KEY),
    "an admin key as the vendor's client sends it": as_vendor(ADMIN_KEY),
    "a token of another kind": {"x-acs-bearer-token": ADMIN_KEY},
    "Basic": {"Authorization": "Basic QUs6c2VjcmV0"},
    "ACS3": Signer("AK", "secret").sign,
    "ACS4": Signer("AK", "secret", "ACS4-HMAC-SHA256").sign,
    "another secret": Signer("AK", "secrets").sign,
    "an unknown id": Signer("NOBODY", "secret").sign,
    "a clock that is late": Signer("AK", "secret", late_s=1000).sign,
    "a clock that is early": Signer("AK", "secret", late_s=-1000).sign,
    "another algorithm": {"Authorization": "ACS3-RSA-SHA256 Credential=AK,SignedHeaders=host,Signature=00"},
    "an algorithm alone": {"Authorization": "ACS3-HMAC-SHA256"},
    "a reader": Signer("READER", "secret").sign,
    "a stored key": Signer("STORED", "stored secret").sign,
    "an expired key": Signer("EXPIRED", "stored secret").sign,
    "a revoked key": Signer("REVOKED", "stored secret").sign,
    "a revoked key, without its secret": Signer("REVOKED", "").sign,
}
ADMIN, KEY = f"admin-key:{hash_secret(ADMIN_KEY)[:8]}", f"key:{hash_secret(API_KEY)[:8]}"
# keyless data, keyed data, keyless control, keyed control: who is seen, or the status of the refusal
EXPECTED: dict[str, tuple[str | int, str | int, str | int, str | int]] = {
    "nothing": ("anonymous", 401, 401, 401),
    "a wrong key": ("anonymous", 401, 401, 401),
    "an API key": ("anonymous", KEY, 401, 403),
    "an API key as the vendor's client sends it": ("anonymous", KEY, 401, 403),
    "an admin key": ("anonymous", ADMIN, 401, ADMIN),
    "an admin key as the vendor's client sends it": ("anonymous", ADMIN, 401, ADMIN),
    "a token of another kind": ("anonymous", 401, 401, 401),
    "Basic": ("anonymous", 401, 401, 401),
    "ACS3": ("AK", "AK", "AK", "AK"),
    "ACS4": ("AK", "AK", "AK", "AK"),
    "another secret": (400, 400, 400, 400),
    "an unknown id": (404, 404, 404, 404),
    "a clock that is late": (400, 400, 400, 400),
    "a clock that is early": (400, 400, 400, 400),
    "another algorithm": (400, 400, 400, 400),
    "an algorithm alone": (400, 400, 400, 400),
    "a reader": (403, 403, 403, 403),
    "a stored key": ("STORED", "STORED", "STORED", "STORED"),
    "an expired key": (403, 403, 403, 403),
    "a revoked key": (403, 403, 403, 403),
    "a revoked key, without its secret": (403, 403, 403, 403),
}


def run(scenario: Callable[[Ask], Awaitable[None]], given: Settings, metrics: Metrics | None = None) -> None:
    async def play() -> None:
        async with site(given, metrics) as ask:
            await scenario(ask)

    asyncio.run(asyncio.wait_for(play(), 30))


def headers(shown: Show | Mapping[str, str], method: str, target: str, body: bytes) -> dict[str, str]:
    given = shown(method, target, body) if callable(shown) else shown
    return {"host": "127.0.0.1", "content-type": "application/json", **given}


@pytest.mark.parametrize("keyed", [False, True], ids=["keyless", "keyed"])
def test_who_must_prove_what(folder: Path, keyed: bool) -> None:
    """The data plane is open without keys; the control plane never is; who shows a signature is judged by it."""

    async def scenario(ask: Ask) -> None:
        for name, shown in CREDENTIALS.items():
            for place, target in enumerate((DATA, CONTROL)):
                answer = await ask("POST", target, headers(shown, "POST", target, BODY), BODY)
                expected = EXPECTED[name][2 * place + keyed]
                seen = answer.body["who"] if answer.status == 200 else answer.status
                assert seen == expected, f"{name} on {target}: {answer}"
                if answer.status == 200:
                    assert answer.body["namespace"] == ("my ws", "ha-cn-x")[place]

    run(scenario, settings(folder, keyed))


def test_permissions_are_for_actions_on_resources(folder: Path) -> None:
    """A reader of one instance lists its models, and those of no other."""

    async def scenario(ask: Ask) -> None:
        reader = Signer("READER", "secret")
        assert (await ask("GET", CONTROL, reader.sign("GET", CONTROL))).status == 200
        other = CONTROL.replace("ha-cn-x", "ha-cn-y")
        refused = await ask("GET", other, reader.sign("GET", other))
        assert (refused.status, refused.body["code"]) == (403, "NoPermission")
        assert "searchengine:ListModels" in refused.body["message"]

    run(scenario, settings(folder, keyed=True))


def test_a_nonce_is_good_for_one_request(folder: Path) -> None:
    """On either plane, and by itself: another key may choose the same."""

    async def scenario(ask: Ask) -> None:
        for key in (Signer("AK", "secret"), Signer("STORED", "stored secret", "ACS4-HMAC-SHA256")):
            sent = headers(lambda *told, key=key: key.sign(*told, nonce="once"), "GET", CONTROL, b"")
            assert (await ask("GET", CONTROL, sent)).status == 200
            again = await ask("GET", CONTROL, sent)
            assert (again.status, again.body["code"]) == (400, "SignatureNonceUsed")

    run(scenario, settings(folder, keyed=True))


def test_of_equal_requests_at_once_one_is_believed(folder: Path) -> None:
    """Twenty at a time, in this process."""

    async def scenario(ask: Ask) -> None:
        sent = headers(Signer("AK", "secret").sign, "POST", DATA, BODY)
        answers = await asyncio.gather(*(ask("POST", DATA, sent, BODY) for _ in range(20)))
        assert sorted(answer.status for answer in answers) == [200] + 19 * [400]

    run(scenario, settings(folder, keyed=True))


def test_a_body_that_differs_is_refused(folder: Path) -> None:
    """The hash in the head is of the body that was signed."""

    async def scenario(ask: Ask) -> None:
        sent = headers(Signer("AK", "secret").sign, "POST", DATA, BODY)
        refused = await ask("POST", DATA, sent, BODY + b" ")
        assert (refused.status, refused.body["code"]) == (400, "SignatureDoesNotMatch")
        assert (await ask("POST", DATA, sent, BODY)).status == 200, "a refused request does not spend the nonce"

    run(scenario, settings(folder, keyed=True))


_GOOD = Signer("AK", "secret").sign("POST", DATA, BODY)
_TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60)
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: _TEXT | st.sampled_from([value, value[:-1], value + ",", value.upper(), value.replace("=", ";")])
        for name, value in {
            **{name.lower(): value for name, value in _GOOD.items()},
            "x-acs-security-token": "STS",
            "x-acs-bearer-token": "token",
            "x-acs-signature-type": "BEARERTOKEN",
        }.items()
    },
)
_TARGETS = st.sampled_from(
    [DATA, CONTROL, DATA + "?a=%ff&%zz&=&&b", CONTROL + "?%E4=\u00fc", CONTROL.replace("x", "%00")]
)


@hypothesis.given(st.lists(st.tuples(_HEADERS, _TARGETS), min_size=20, max_size=20))
@hypothesis.settings(max_examples=30, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_whatever_is_sent_is_answered_or_refused(folder: Path, requests: list[tuple[dict[str, str], str]]) -> None:
    """Nothing that a stranger puts into the headers makes the server fail."""

    async def scenario(ask: Ask) -> None:
        for given_headers, target in requests:
            answer = await ask("POST", target, {"content-type": "application/json", **given_headers}, BODY)
            assert answer.status in (200, 400, 401, 403, 404), answer

    run(scenario, settings(folder, keyed=True))


@pytest.mark.parametrize("query", ["a=%ff&b=%zz", "=&&", "b=2&a=1&b=1", "%E4%B8%AD=%20+", "a=~*'()!"])
def test_odd_queries_are_signed_as_they_are_read(folder: Path, query: str) -> None:
    """Broken escapes, repeated and empty names: what the application reads is what was signed."""

    async def scenario(ask: Ask) -> None:
        target = f"{CONTROL}?{query}"
        signed = Signer("AK", "secret").sign("GET", target)
        changed = await ask("GET", f"{target}&c=", signed)
        assert (changed.status, changed.body["code"]) == (400, "SignatureDoesNotMatch")
        assert (await ask("GET", target, signed)).status == 200

    run(scenario, settings(folder, keyed=True))


def test_under_a_root_path(folder: Path) -> None:
    """The proxy strips the path or leaves it; the caller signs what it calls."""

    async def scenario(ask: Ask) -> None:
        for signed in (f"/embeddings{DATA}", f"/embeddings{DATA}".replace("%20", " ")):
            for arriving in (f"/embeddings{DATA}", DATA):
                sent = Signer("AK", "secret").sign("POST", DATA, BODY, signed_path=signed)
                answer = await ask("POST", arriving, sent, BODY)
                assert answer.body["who"] == "AK"
                assert answer.body["namespace"] == "my ws"

    run(scenario, settings(folder, keyed=True, root_path="/embeddings"))


def test_a_foreign_page_gets_nothing_without_keys(folder: Path) -> None:
    """Not even with a signature: pages of other origins do not drive a keyless server."""

    async def scenario(ask: Ask) -> None:
        sent = Signer("AK", "secret").sign("GET", CONTROL) | {"origin": "https://foreign.example"}
        assert (await ask("GET", CONTROL, sent)).status == 403

    run(scenario, settings(folder, keyed=False))


def test_without_the_store() -> None:
    """Configured keys go on signing on the data plane, each nonce once; the control plane says what is missing."""
    admins = (hash_secret(ADMIN_KEY),)
    given = Settings(access_key=CONFIGURED, database_url="postgresql://127.0.0.1:1/none", admin_key_sha256=admins)
    metrics = Metrics()

    async def scenario(ask: Ask) -> None:
        sent = headers(Signer("AK", "secret").sign, "POST", DATA, BODY)
        assert (await ask("POST", DATA, sent, BODY)).body["who"] == "AK"
        assert (await ask("POST", DATA, sent, BODY)).body["code"] == "SignatureNonceUsed"
        stored = headers(Signer("STORED", "stored secret").sign, "POST", DATA, BODY)
        assert (await ask("POST", DATA, stored, BODY)).status == 503
        control = await ask("GET", CONTROL, Signer("AK", "secret").sign("GET", CONTROL))
        assert (control.status, control.body["code"]) == (503, "ServiceUnavailable")
        assert (await ask("GET", CONTROL, bearer(ADMIN_KEY))).status == 200

    run(scenario, given, metrics)
    assert metrics.registry.get_sample_value("embedway_unshared_nonces_total") == 1


def test_while_the_store_is_away_and_after(postgres: Postgres) -> None:
    """Stored keys go on signing on the data plane as they were last read; the control plane waits for the database."""
    given = Settings(access_key=CONFIGURED, database_url=postgres.new_database(), master_key=("a master key",))
    database = Database(given.database_url or "")
    pair = KeyPair("STORED", "stored secret", (Permission(),))
    sealed = open_vault(given, database).seal(pair.secret)
    database.run_now(lambda connection: add_key(connection, pair, sealed, "", "test"))
    stored = Signer("STORED", "stored secret")

    async def scenario(ask: Ask) -> None:
        async def status(method: str, target: str, body: bytes = b"") -> int:
            return (await ask(method, target, headers(stored.sign, method, target, body), body)).status

        assert (await status("POST", DATA, BODY), await status("GET", CONTROL)) == (200, 200)
        await asyncio.to_thread(postgres.stop)
        try:
            assert (await status("POST", DATA, BODY), await status("GET", CONTROL)) == (200, 503)
        finally:
            await asyncio.to_thread(postgres.start)
        assert await status("GET", CONTROL) == 200
        database.run_now(lambda connection: revoke_key(connection, "STORED", "test"))
        await asyncio.sleep(1.0)
        assert (await status("POST", DATA, BODY), await status("GET", CONTROL)) == (403, 403)

    run(scenario, given)
    database.close()


def test_before_the_store_was_read_nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys of the configuration nobody knows whether there are any: neither a caller without a key gets in, nor
    one with; and the server is not ready.
    """
    given = Settings(database_url="postgresql://127.0.0.1:1/none")
    monkeypatch.setattr(apikeys, "SETTLE_S", 0.2)

    async def scenario(ask: Ask) -> None:
        for shown in ({}, bearer(API_KEY)):
            refused = await ask("POST", DATA, headers(shown, "POST", DATA, BODY), BODY)
            assert (refused.status, refused.body["code"]) == (503, "ServiceUnavailable")
        assert (await ask("GET", CONTROL, headers(bearer(ADMIN_KEY), "GET", CONTROL, b""))).status == 503

    run(scenario, given)


def test_the_first_request_finds_the_store_closed(tmp_path: Path) -> None:
    """However early it comes, a stored key keeps the server closed; a store without one lets it in."""
    given = Settings(database_url=f"sqlite:///{tmp_path}/e.db")

    def outcomes() -> list[int]:
        seen: list[int] = []

        async def scenario(ask: Ask) -> None:
            answers = await asyncio.gather(
                *(ask("POST", DATA, headers({}, "POST", DATA, BODY), BODY) for _ in range(5))
            )
            seen.extend(answer.status for answer in answers)

        run(scenario, given)
        return seen

    assert outcomes() == [200] * 5
    database = Database(given.database_url or "")
    database.run_now(lambda connection: keyrecords.create(connection, Actor("me"), Scope()))
    database.close()
    assert outcomes() == [401] * 5


def test_published_without_keys_nothing_is_open(tmp_path: Path) -> None:
    """On an address that others reach, a store without keys opens nothing."""

    async def scenario(ask: Ask) -> None:
        assert (await ask("POST", DATA, headers({}, "POST", DATA, BODY), BODY)).status == 401

    run(scenario, Settings(host="0.0.0.0", database_url=f"sqlite:///{tmp_path}/e.db"))
