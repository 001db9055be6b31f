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
from tests.reduce.artefacts import make
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

[[reduction]]
name = "small"
path = "reduction"

[[deployment]]
id = "of-m"
model = "alias"

[[deployment]]
id = "of-other"
model = "other"

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
    make(home / "reduction", 16, 6)
    config = CONFIG.replace('"reduction"', f'"{home}/reduction"')
    with serving(home, "--allow-private-urls", config=config, env=env) as server:
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


FAR = {
    "modelType": "text_embedding",
    "dimension": 3,
    "url": "http://127.0.0.1:9/",
    "request": {"requestBody": '{"input": "%{input}"}'},
    "response": {"embeddings": "$.data[*].embedding"},
}
WORKSPACE = "/openapi/platform/workspaces/default"
MODELS = "/openapi/ha3/instances/default/models"
DEPLOYMENTS = f"{WORKSPACE}/functions/deployment/instances"


def deployment(name: str, model: str) -> dict[str, Any]:
    return {"instanceName": name, "modelType": "native", "createParameters": [{"name": "model", "value": model}]}


@pytest.fixture(scope="module")
def bounded(site: Site) -> str:
    """An admin key for `m` and what is called `far-m…`; the workspace has more models and deployments than those."""
    admin = site.key("--admin")
    for path, body in (
        *((MODELS, {"name": name, "content": FAR}) for name in ("far-m", "far-other")),
        *((DEPLOYMENTS, deployment(f"our-{model}", model)) for model in ("m", "other")),
    ):
        made = post(site.server, path, body, key=admin)
        assert made.status == 200, made.body
    return site.key("--admin", "--model", "m", "--model", "far-m*")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/openapi/platform/usage", None),
        ("GET", "/openapi/platform/workspaces", None),
        ("GET", WORKSPACE, None),
        ("PUT", WORKSPACE, {"description": "Mine"}),
        ("GET", KEYS, None),
        ("GET", MODELS, None),
    ],
)
def test_what_is_not_about_its_models_is_refused(site: Site, bounded: str, method: str, path: str, body: Any) -> None:
    """403; an admin key without bounds may."""
    refused = send(site.server, method, path, body, key=bounded)
    assert refused.status == 403
    assert "m, far-m*" in refused.json()["message"]
    assert send(site.server, method, path, body, key=site.key("--admin")).status == 200


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("POST", "/actions/debug", {"input": "hi"}),
        ("PUT", "", {"status": "ok"}),
        ("DELETE", "", None),
    ],
)
def test_the_registry_of_its_models_only(site: Site, bounded: str, method: str, suffix: str, body: Any) -> None:
    """It manages those of its names, and no other."""
    asked = send(site.server, method, f"{MODELS}/far-m{suffix}", body, key=bounded)
    assert asked.status == 200, asked.body
    assert send(site.server, method, f"{MODELS}/far-other{suffix}", body, key=bounded).status == 403
    assert get(site.server, f"{MODELS}/far-other", key=site.key("--admin")).status == 200


def test_it_registers_models_of_its_names_only(site: Site, bounded: str) -> None:
    """A name that fits none of its patterns is refused."""
    assert post(site.server, MODELS, {"name": "far-m2", "content": FAR}, key=bounded).status == 200
    assert post(site.server, MODELS, {"name": "far-2", "content": FAR}, key=bounded).status == 403


def test_deployments_of_its_models_only(site: Site, bounded: str) -> None:
    """Made, listed, read, changed, switched and removed; one of another model is neither."""

    def ask(method: str, name: str, suffix: str = "", body: Any = None) -> Answer:
        return send(site.server, method, f"{DEPLOYMENTS}/{name}{suffix}", body, key=bounded)

    listed = get(site.server, f"{DEPLOYMENTS}?source=all", key=bounded).json()["result"]
    assert sorted(row["instanceName"] for row in listed) == ["of-m", "our-m"]
    assert [ask("GET", name).status for name in ("of-m", "our-m", "of-other", "our-other")] == [200, 200, 403, 403]
    assert post(site.server, DEPLOYMENTS, deployment("new", "other"), key=bounded).status == 403
    assert post(site.server, DEPLOYMENTS, deployment("new", "m"), key=bounded).status == 200
    to_other = {"createParameters": [{"name": "model", "value": "other"}]}
    assert ask("PUT", "new", body=to_other).status == 403
    for method, suffix, body in (
        ("PUT", "", {"description": "x"}),
        ("POST", "/actions/cease", None),
        ("POST", "/actions/resume", None),
        ("DELETE", "", None),
    ):
        assert ask(method, "our-other", suffix, body).status == 403, (method, suffix)
        assert ask(method, "new", suffix, body).status == 200, (method, suffix)
    assert (
        get(site.server, f"{DEPLOYMENTS}/our-other", key=site.key("--admin")).json()["result"]["status"] == "available"
    )


def test_services_of_its_models_only(site: Site, bounded: str) -> None:
    """ListServices names neither other models of the server nor deployments of them."""
    rows = get(site.server, f"{WORKSPACE}/services", key=bounded).json()["result"]
    ours = {row["serviceId"] for row in rows if not row["serviceId"].startswith("ops-")}
    assert {"m", "of-m"} <= ours
    assert not ours & {"other", "of-other", "our-other", "far-other"}


def test_reductions_are_bounded_too(site: Site) -> None:
    """By their names, whether the body says the name or there is only the one."""
    path = "/v3/openapi/workspaces/default/embedding-tuning/ops-embedding-dim-reduction-001"
    mine, others = site.key("--model", "sm*"), site.key("--model", "m")
    for parameters in ({}, {"model_name": "small"}):
        body = {"input": [[1.0] * 16], "parameters": parameters}
        assert post(site.server, path, body, key=mine).status == 200
        assert post(site.server, path, body, key=others).status == 403


def test_a_key_has_the_models_of_its_maker(site: Site, bounded: str) -> None:
    """Those, and no others."""
    token = site.mint(key=bounded)
    assert (site.embed(token, "m"), site.embed(token, "other")) == (200, 403)
