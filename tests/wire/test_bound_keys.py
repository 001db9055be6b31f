"""What bounds an admin key bounds what it does on the control plane, and the keys that it makes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.access.signing import Signer
from tests.cli.command import run
from tests.server import Server, serving

from .exchange import Answer, get, post, send

SIGNER = Signer("AKmaker", "secret-of-the-maker", "ACS3-HMAC-SHA256")
CONFIG = f"""
[[access_key]]
id = "{SIGNER.key_id}"
secret = "{SIGNER.secret}"

[[access_key.permission]]
action = ["searchplat:CreateCredentials", "searchplat:GetText*"]
resource = ["acs:searchplat:*:*:workspace/default"]

[[access_key.permission]]
action = ["searchplat:*"]
resource = ["acs:searchplat:*:*:workspace/other"]

[[model]]
name = "m"
source = "fake:8"
aliases = ["alias"]

[[model]]
name = "other"
source = "fake:8"
"""
KEYS = "/openapi/platform/workspaces/default/credentials"
TEXT = "/v3/openapi/workspaces/default/text-embedding"


@dataclass
class Site:
    """A server with stored keys, which are made when they are first asked for."""

    server: Server
    env: dict[str, str]
    made: dict[tuple[str, ...], str] = field(default_factory=dict)

    def key(self, *arguments: str) -> str:
        if arguments not in self.made:
            key: str = run("keys", "create", *arguments, "--json", env=self.env).rows()[-1]["key"]
            until_s = time.monotonic() + 10
            while get(self.server, "/v1/models", key=key).status == 401:
                assert time.monotonic() < until_s
                time.sleep(0.02)
            self.made[arguments] = key
        return self.made[arguments]

    def mint(self, **how: Any) -> str:
        """A key that another makes over HTTP."""
        made = post(self.server, KEYS, {"type": "api-token"}, **how)
        assert made.status == 200, made.body
        token: str = made.json()["result"]["token"]
        return token

    def embed(self, key: str, model: str = "m") -> int:
        return post(self.server, f"{TEXT}/{model}", {"input": "hi"}, key=key).status


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home: Path = tmp_path_factory.mktemp("home")
    env = {"XDG_DATA_HOME": str(home)}
    run("keys", "create", env=env)
    with serving(home, config=CONFIG, env=env) as server:
        yield Site(server, env)


def test_a_key_has_the_actions_of_its_maker(site: Site) -> None:
    """One that may only make keys makes keys that may nothing else; one that may embed, keys that embed."""
    create = ("--action", "searchplat:CreateCredentials")
    assert site.embed(site.mint(key=site.key("--admin", *create))) == 403
    able = site.mint(key=site.key("--admin", *create, "--action", "searchplat:GetText*"))
    assert site.embed(able) == 200
    body = {"query": "a", "docs": ["b"]}
    assert post(site.server, "/v3/openapi/workspaces/default/ranker/m", body, key=able).status == 403


def test_a_key_ends_with_its_maker(site: Site) -> None:
    """Not later; that of a maker without an end has none."""

    def ends(key: str) -> Any:
        return (
            get(site.server, f"{KEYS}/{site.mint(key=key)}", key=site.key("--admin")).json()["result"].get("expireTime")
        )

    within_s = ends(site.key("--admin", "--expires-in", "1h")) / 1000 - time.time()
    assert 3000 < within_s < 3601
    assert not ends(site.key("--admin"))


def test_a_key_has_the_actions_of_the_access_key_that_made_it(site: Site) -> None:
    """Those of the permissions for this workspace, not those for another."""
    body = b'{"type":"api-token"}'
    made = send(site.server, "POST", KEYS, body, headers=SIGNER.sign("POST", KEYS, body))
    assert made.status == 200, made.body
    token = made.json()["result"]["token"]
    assert site.embed(token) == 200
    ranker = "/v3/openapi/workspaces/default/ranker/m"
    assert post(site.server, ranker, {"query": "a", "docs": ["b"]}, key=token).status == 403
