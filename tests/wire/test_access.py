"""Who may call: keys where there are keys, this machine only where there are none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import any_refusal, openai_refusal, vendor_refusal
from .exchange import KEY, Answer, get, post, send
from .routes import CONTROL, DATA, OPEN, TASKS, name

every_data_route = pytest.mark.parametrize("route", DATA, ids=name)
every_open_route = pytest.mark.parametrize("path", OPEN)
LOOPBACK_HOSTS = [
    "127.0.0.1:{}",
    "http://127.0.0.1:{}",
    "http://127.0.0.1:{}/",
    "localhost:{}",
    "localhost",
    "[::1]:{}",
]
WRONG = [None, "Bearer wrong", f"Basic {KEY}", KEY, "Bearer", "Bearer  ", "Bearer \u00e9"]
FOREIGN_HOSTS = ["embed.example", "embed.example:8000", "127.0.0.1.embed.example", "192.0.2.1", "http://embed.example"]
FOREIGN_ORIGINS = ["https://embed.example", "http://127.0.0.1.embed.example", "null", "http://localhost.embed.example"]


def call(server: Server, route: Any, **headers: str) -> Answer:
    """Call a route of the table with these headers added."""
    method, path, body, more = route
    return send(server, method, path, body, headers={**more, **headers})


@every_data_route
def test_key_opens_the_data_plane(keyed: Server, route: Any) -> None:
    """With the key, every route answers; the scheme is read in any case."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert call(keyed, route, Authorization=f"{scheme} {KEY}").status == 200


@pytest.mark.parametrize("route", [*DATA, *TASKS], ids=name)
@pytest.mark.parametrize("value", WRONG, ids=str)
def test_without_the_key(keyed: Server, route: Any, value: str | None) -> None:
    """Without a key, with a wrong one or in another scheme, every route answers 401 in its dialect."""
    answer = call(keyed, route, **({"Authorization": value} if value else {}))
    any_refusal(answer, 401)


def test_openai_says_invalid_api_key(keyed: Server) -> None:
    """OpenAI's dialect words it as OpenAI does."""
    assert openai_refusal(post(keyed, "/v1/embeddings", {"model": MODEL, "input": "a"}), 401).code == "invalid_api_key"
    assert openai_refusal(get(keyed, "/v1/models"), 401).code == "invalid_api_key"


def test_key_is_asked_before_the_body_is_judged(keyed: Server) -> None:
    """Without a key a broken body is 401, not 400."""
    openai_refusal(send(keyed, "POST", "/v1/embeddings", b"{"), 401)


@every_open_route
def test_operations_are_open(keyed: Server, path: str) -> None:
    """Health, readiness, metrics and documentation need no key."""
    assert get(keyed, path).status == 200


def test_any_host_with_a_key(keyed: Server) -> None:
    """With keys, the name under which the server is reached does not matter."""
    for host in FOREIGN_HOSTS:
        assert get(keyed, "/v1/models", key=KEY, headers={"Host": host}).status == 200


@every_data_route
@pytest.mark.parametrize("form", LOOPBACK_HOSTS)
def test_loopback_host_without_keys(stand_in: Server, route: Any, form: str) -> None:
    """A keyless server knows itself by every loopback name, also as the vendor's client writes it."""
    assert call(stand_in, route, Host=form.format(stand_in.port)).status == 200


@every_data_route
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_host_without_keys(stand_in: Server, route: Any, host: str) -> None:
    """A keyless server refuses a name that is not loopback: a page that rebinds its own name gets nothing."""
    any_refusal(call(stand_in, route, Host=host), (400, 403, 421))


@every_data_route
@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_origin_without_keys(stand_in: Server, route: Any, origin: str) -> None:
    """A keyless server refuses a page of another origin."""
    any_refusal(call(stand_in, route, Origin=origin), 403)


@every_data_route
def test_own_origin_without_keys(stand_in: Server, route: Any) -> None:
    """The server's own pages may call it."""
    assert call(stand_in, route, Origin=stand_in.url).status == 200


def test_bearer_does_no_harm_without_keys(plain: Server) -> None:
    """A client that must send some key may send any."""
    assert get(plain, "/v1/models", key="anything").status == 200


def test_refusals_without_keys_speak_the_dialect(plain: Server) -> None:
    """A foreign origin is refused in the form of the route that it called."""
    foreign = {"Origin": "https://embed.example"}
    openai_refusal(post(plain, "/v1/embeddings", {"model": MODEL, "input": "a"}, headers=foreign), 403)
    path = f"/v3/openapi/workspaces/default/text-embedding/{MODEL}"
    vendor_refusal(post(plain, path, {"input": "a"}, headers=foreign), 403)


@pytest.mark.parametrize("route", CONTROL, ids=name)
def test_what_manages_models_asks_for_proof(plain: Server, keyed: Server, route: Any) -> None:
    """Also on loopback and without keys; an API key is none."""
    method, path = route
    body = {} if method in ("POST", "PUT") else None
    for server, key, status in ((plain, None, 401), (plain, KEY, 401), (keyed, None, 401), (keyed, KEY, 403)):
        answer = send(server, method, path, body, key=key)
        assert answer.status == status, answer.body
        assert list(answer.json()) == ["requestId", "code", "message"]
