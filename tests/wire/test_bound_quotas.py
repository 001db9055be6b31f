"""Quotas of stored keys, and of the workspaces and models behind deployments, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from embedway.settings import hash_secret
from tests.cli.command import run
from tests.server import Server, serving

from .exchange import Answer, post

ADMIN = "OS-admin"
CONFIG = """
admin_key = "OS-admin"
allow_private_urls = true

[[model]]
name = "m"
source = "fake:8"
aliases = ["alias"]

[[deployment]]
id = "in-shop"
model = "alias"
workspace = "shop"

[[instance]]
id = "attic"

[[quota]]
workspace = "shop"
tokens_per_minute = 1000

[[quota]]
service = "far"
requests_per_s = 7

[[quota]]
key = "DIGEST"
requests_per_s = 5

[[quota]]
key = "ID"
requests_per_s = 6
"""
FAR = {
    "modelType": "text_embedding",
    "dimension": 3,
    "url": "http://127.0.0.1:9/",
    "request": {"requestBody": '{"input": "%{input}"}'},
    "response": {"embeddings": "$.data[*].embedding"},
}
MADE = {
    "platform/workspaces": {"name": "attic", "type": "standard"},
    "ha3/instances/attic/models": {"name": "far", "content": FAR},
    "platform/workspaces/attic/functions/deployment/instances": {
        "instanceName": "far-away",
        "modelType": "native",
        "createParameters": [{"name": "model", "value": "far"}],
    },
}
BODY = {"input": "hi"}


@dataclass
class Site:
    """A server, and stored keys: two of no workspace, one that has a quota by its digest and one by its id; the other
    two for `shop` and for `attic` alone.
    """

    server: Server
    keys: dict[str, str]

    def limits(self, path: str, key: str, body: Any = BODY) -> tuple[str | None, str | None]:
        """How many requests and tokens the reply says are allowed."""
        answer: Answer = post(self.server, path, body, key=self.keys[key])
        return answer.headers["x-ratelimit-limit-requests"], answer.headers["x-ratelimit-limit-tokens"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("home")
    env = {"XDG_DATA_HOME": str(home)}

    def make(*arguments: str) -> dict[str, str]:
        row: dict[str, str] = run("keys", "create", *arguments, "--json", env=env).rows()[-1]
        return row

    made = {"digest": make(), "id": make(), "shop": make("--workspace", "shop"), "attic": make("--workspace", "attic")}
    config = CONFIG.replace("DIGEST", hash_secret(made["digest"]["key"])[:8]).replace("ID", made["id"]["id"])
    with serving(home, config=config, env=env) as server:
        for path, body in MADE.items():
            created = post(server, f"/openapi/{path}", body, key=ADMIN)
            assert created.status == 200, created.body
        yield Site(server, {name: row["key"] for name, row in made.items()})


def test_a_stored_key_is_meant_by_its_digest_and_by_its_id(site: Site) -> None:
    """As a key of the configuration is by its digest; the other keys are not meant."""
    body = {"model": "m", **BODY}
    assert site.limits("/v1/embeddings", "digest", body) == ("5", None)
    assert site.limits("/v1/embeddings", "id", body) == ("6", None)
    assert site.limits("/v1/embeddings", "attic", body) == (None, None)


@pytest.mark.parametrize("path", ["/v3/openapi/deployments/in-shop/predict", "/v3/openapi/in-shop"])
def test_a_deployment_counts_in_its_workspace(site: Site, path: str) -> None:
    """Whoever calls it; a caller who may not enter there takes nothing of it."""
    assert site.limits(path, "digest") == ("5", "1000")
    assert site.limits(path, "shop") == (None, "1000")
    assert site.limits(path, "attic") == (None, None)


def test_a_deployment_counts_for_its_model(site: Site) -> None:
    """One that is registered in the deployment's workspace alone, too."""
    assert site.limits("/v3/openapi/deployments/far-away/predict", "attic") == ("7", None)
    assert site.limits("/v3/openapi/deployments/far-away/predict", "digest")[0] == "5"


def test_a_key_of_a_workspace_counts_there_where_the_path_names_none(site: Site) -> None:
    """Its first workspace is meant."""
    assert site.limits("/v1/embeddings", "shop", {"model": "m", **BODY}) == (None, "1000")
