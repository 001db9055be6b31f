"""A server behind a proxy: on a Unix socket, under a path, its metrics protected, called by pages of another origin."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, serving

from .configs import MODEL
from .exchange import KEY, get, post, send

ORIGIN = "https://app.example"
ROOT = "/emb"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a root path, an allowed origin, keys and protected metrics, listening on a Unix socket."""
    flags = ["--root-path", ROOT, "--cors-origin", ORIGIN, "--api-key", KEY, "--protect-metrics"]
    with tempfile.TemporaryDirectory() as short:  # the path of a socket must stay below 108 characters
        folder = tmp_path_factory.mktemp("published")
        with serving(folder, *flags, uds=Path(short) / "embedway.sock") as server:
            yield server


def test_unix_socket(published: Server) -> None:
    """Requests over the socket are answered."""
    assert post(published, "/v1/embeddings", {"model": MODEL, "input": "hi"}, key=KEY).status == 200


def test_root_path(published: Server) -> None:
    """The document and the page speak of the path under which the proxy publishes them."""
    document = get(published, "/openapi.json", key=KEY).json()
    assert document["servers"][0]["url"].endswith(ROOT)
    page = get(published, "/docs", key=KEY)
    assert page.status == 200
    assert f'"{ROOT}/' in page.body.decode() or 'src="/' not in page.body.decode()


def test_root_path_that_the_proxy_keeps(published: Server) -> None:
    """A proxy that does not strip the path is understood too."""
    assert get(published, f"{ROOT}/v1/models", key=KEY).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json"])
def test_protected_metrics(published: Server, path: str) -> None:
    """With --protect-metrics the metrics and the documentation ask for a key."""
    assert get(published, path).status == 401
    assert get(published, path, key=KEY).status == 200


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_probes_stay_open(published: Server, path: str) -> None:
    """Probes carry no key, so health and readiness stay open."""
    assert get(published, path).status == 200


def test_allowed_origin(published: Server) -> None:
    """A page of the allowed origin may read the answer."""
    answer = get(published, "/v1/models", key=KEY, headers={"Origin": ORIGIN})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in (ORIGIN, "*")


def test_preflight(published: Server) -> None:
    """The browser's question before a POST is answered without a key."""
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = send(published, "OPTIONS", "/v1/embeddings", headers=asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] in (ORIGIN, "*")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


def test_other_origin(published: Server) -> None:
    """A page of another origin is not told that it may read."""
    answer = get(published, "/v1/models", key=KEY, headers={"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in answer.headers
