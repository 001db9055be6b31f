"""Where and how the server listens: a Unix socket, TLS, behind a proxy's prefix, for pages of other origins."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.server import Server, refusal
from tests.wire.errors import openai_refusal, vendor_refusal
from tests.wire.exchange import KEY, Answer, get, post, send

from .running import FAKE, OPENSEARCH, answers, embed, running

CERTIFICATE = Path(__file__).parent / "tls" / "cert.pem"
PRIVATE_KEY = Path(__file__).parent / "tls" / "key.pem"
PAGE = "https://page.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


class TlsServer(Server):
    """A server behind TLS whose certificate is checked."""

    def open_socket(self, timeout_s: float | None) -> ssl.SSLSocket:
        """Return a connected and verified socket, which the caller closes."""
        context = ssl.create_default_context(cafile=CERTIFICATE)
        return context.wrap_socket(super().open_socket(timeout_s), server_hostname="127.0.0.1")


def test_tls(tmp_path: Path) -> None:
    """With --tls-cert and --tls-key the server speaks TLS 1.2 or later, and plain HTTP gets no answer from it."""
    flags = ["--tls-cert", str(CERTIFICATE), "--tls-key", str(PRIVATE_KEY)]
    with running(tmp_path, *flags, kind=TlsServer) as server:
        assert answers(embed(server, "a"), "a")
        with server.open_socket(5) as sock:
            assert sock.version() in ("TLSv1.2", "TLSv1.3")
        with Server.open_socket(server, 5) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"HTTP/1.1 200" not in plain.recv(1000)
        assert answers(embed(server, "b"), "b")
        assert "Traceback" not in server.output()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--tls-cert", str(CERTIFICATE)], "--tls-key"),
        (["--tls-key", str(PRIVATE_KEY)], "--tls-cert"),
        (["--tls-cert", "/no/cert.pem", "--tls-key", "/no/key.pem"], "--tls-cert"),
        (["--tls-cert", str(PRIVATE_KEY), "--tls-key", str(PRIVATE_KEY)], "--tls-cert"),
        (["--uds", "/no/folder/embedway.sock"], "/no/folder"),
        (["--root-path", "prefix/"], "--root-path"),
        (["--api-key", ""], "key"),
        (["--host", "127.example.com"], "--no-auth"),
    ],
    ids=str,
)
def test_what_cannot_be_listened_on(tmp_path: Path, flags: list[str], named: str) -> None:
    """Files that are missing or wrong, and settings that contradict each other, stop the start with a sentence."""
    assert named in refusal(tmp_path, *FAKE, *flags)


def test_a_taken_port(tmp_path: Path, fake: Server) -> None:
    """A port that somebody listens on stops the start and is named."""
    assert str(fake.port) in refusal(tmp_path, *FAKE, "--port", str(fake.port))


def test_a_unix_socket(tmp_path: Path) -> None:
    """With --uds the server listens on that socket and on no port; a socket left by an earlier life is no obstacle."""
    path = tmp_path / "e.sock"
    for _ in range(2):
        with running(tmp_path, "--uds", str(path), kind=lambda *parts: Server(*parts, uds=path)) as server:
            assert stat.S_ISSOCK(path.stat().st_mode)
            assert answers(embed(server, "a"), "a")
            assert get(server, "/v1/models", headers={"Host": "localhost"}).status == 200
            with pytest.raises(ConnectionRefusedError):
                replace(server, uds=None).open_socket(5)
            server.process.kill()
            server.process.wait(5)


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that a proxy publishes under /a/b."""
    with running(tmp_path_factory.mktemp("prefixed"), "--root-path", "/a/b") as server:
        yield server


@pytest.mark.parametrize("prefix", ["", "/a/b"])
def test_root_path(prefixed: Server, prefix: str) -> None:
    """Whether the proxy strips the prefix or leaves it, every kind of route answers."""
    assert answers(post(prefixed, f"{prefix}/v1/embeddings", {"model": "fake", "input": "a"}), "a")
    assert post(prefixed, prefix + OPENSEARCH, {"input": "a"}).status == 200
    assert post(prefixed, prefix + OPENSEARCH + "/", {"input": "a"}).status == 200
    for path in ("/v1/models", "/v1/models/fake", "/health", "/ready", "/metrics", "/docs", "/openapi.json"):
        assert get(prefixed, prefix + path).status == 200, path


@pytest.mark.parametrize("prefix", ["", "/a/b"])
def test_errors_below_a_root_path(prefixed: Server, prefix: str) -> None:
    """Unknown routes and wrong methods keep their dialect below the prefix."""
    openai_refusal(get(prefixed, f"{prefix}/v1/nothing"), 404)
    openai_refusal(get(prefixed, f"{prefix}/v1/embeddings"), 405)
    vendor_refusal(post(prefixed, f"{prefix}/v3/openapi/a/b/c", {}), 404)
    vendor_refusal(get(prefixed, f"{prefix}{OPENSEARCH}"), 405)
    vendor_refusal(get(prefixed, f"{prefix}/compatible-mode/v1/embeddings"), 405)


def test_root_path_in_the_documents(prefixed: Server) -> None:
    """The OpenAPI document and the page name the prefix, so that a browser behind the proxy finds everything."""
    assert get(prefixed, "/openapi.json").json()["servers"] == [{"url": "/a/b"}]
    page = get(prefixed, "/docs").body.decode()
    assert '"/a/b/openapi.json"' in page
    assert get(prefixed, "/a/b/docs/assets/swagger-ui.css").status == 200


def test_a_neighbour_of_the_root_path(prefixed: Server) -> None:
    """A path that only begins like the prefix is no route."""
    openai_refusal(get(prefixed, "/a/bc/v1/models"), 404)
    openai_refusal(get(prefixed, "/a/v1/models"), 404)


@pytest.fixture(scope="module")
def open_to_a_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key that the pages of one origin may call, and whose metrics are protected."""
    flags = ["--cors-origin", PAGE, "--api-key", KEY, "--protect-metrics"]
    with running(tmp_path_factory.mktemp("cors"), *flags) as server:
        yield server


def preflight(server: Server, path: str, origin: str) -> Answer:
    """Ask as a browser does before it lets a page send JSON with a key."""
    return send(server, "OPTIONS", path, headers={"Origin": origin, **PREFLIGHT})


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", OPENSEARCH, "/compatible-mode/v1/embeddings"])
def test_preflight(open_to_a_page: Server, path: str) -> None:
    """The page's origin may POST with a key and JSON, and needs no key to ask; another origin may not."""
    answer = preflight(open_to_a_page, path, PAGE)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    foreign = preflight(open_to_a_page, path, "https://other.example")
    assert foreign.status == 400
    assert foreign.headers["access-control-allow-origin"] is None


def test_what_a_page_may_read(open_to_a_page: Server) -> None:
    """Answers and refusals carry the origin, and the page may read the ids and times in their headers."""
    for key, status in ((KEY, 200), (None, 401)):
        answer = post(
            open_to_a_page, "/v1/embeddings", {"model": "fake", "input": "a"}, key=key, headers={"Origin": PAGE}
        )
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "origin" in answer.headers["vary"].lower()
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert "x-request-id" in exposed
        assert "retry-after" in exposed


def test_pages_without_keys(tmp_path: Path) -> None:
    """A keyless server answers the allowed page and refuses the others in the dialect's words."""
    with running(tmp_path, env={"EMBEDWAY_CORS_ORIGIN": f"{PAGE},http://127.0.0.1:3000"}) as server:
        for origin in (PAGE, "http://127.0.0.1:3000"):
            assert answers(embed(server, "a", Origin=origin), "a")
        openai_refusal(embed(server, "a", Origin="http://127.0.0.1:3001"), 403)


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/openapi.json"])
def test_protected_metrics(open_to_a_page: Server, path: str) -> None:
    """With --protect-metrics the metrics and the documentation ask for the key; health and readiness do not."""
    openai_refusal(get(open_to_a_page, path), 401)
    openai_refusal(get(open_to_a_page, path, key="wrong"), 401)
    assert get(open_to_a_page, path, key=KEY).status == 200
    assert get(open_to_a_page, "/health").status == 200
    assert get(open_to_a_page, "/ready").status == 200


def test_every_address_without_a_key() -> None:
    """0.0.0.0 without a key is refused with one sentence and status 2, supervised or not."""
    for flags in ([], ["--supervise"]):
        ended = subprocess.run(
            [sys.executable, "-m", "embedway", "serve", "--host", "0.0.0.0", "--port", "0", *FAKE, *flags],
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 2
        assert ended.stdout == b""
        assert ended.stderr.count(b"\n") == 1
        assert b"--api-key" in ended.stderr


def test_every_address_on_purpose(tmp_path: Path) -> None:
    """With --no-auth it starts there, warns in its log, and answers under any name."""
    with running(tmp_path, "--host", "0.0.0.0", "--no-auth") as server:
        assert "WARNING" in server.output()
        assert "No API key" in server.output()
        assert answers(embed(server, "a", Host="embed.example"), "a")
        openai_refusal(embed(server, "a", Host="embed.example", Origin=PAGE), 403)


def test_every_address_with_a_key(tmp_path: Path) -> None:
    """With a key it starts there without a warning, and asks for the key."""
    with running(tmp_path, "--host", "0.0.0.0", "--api-key", KEY) as server:
        assert "WARNING" not in server.output()
        openai_refusal(embed(server, "a", Host="embed.example"), 401)
        assert answers(embed(server, "a", Host="embed.example", Authorization=f"Bearer {KEY}"), "a")


def test_logs_are_json(tmp_path: Path) -> None:
    """With --log-format json every line is an object, also that of a failure with its stack."""
    with running(tmp_path, "--log-format", "json") as server:
        embed(server, "!fail")
    lines = [json.loads(line) for line in server.output().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert any("stack" in line for line in lines)
    assert "!fail" not in " ".join(line["message"] for line in lines)
