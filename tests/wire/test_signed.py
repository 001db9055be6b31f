"""Signed requests to real servers: two processes that share one database, keys made and revoked beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.access.signing import Signer
from tests.server import Server, serving

from .errors import vendor_refusal
from .exchange import Answer, get, post, send

SECRET = "configured-secret-of-the-tests"
CONFIGURED = Signer("CONFIGURED", SECRET, "ACS4-HMAC-SHA256")
PATH = "/v3/openapi/workspaces/default/text-embedding/m"
MODELS = "/openapi/ha3/instances/default/models"
BODY = b'{"input":"hi"}'
WITHIN_S = 2.0
"""The promise is a second; a machine that is busy gets two."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def pair(home: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers on one database; the second is published under a path."""
    env = {"EMBEDWAY_ACCESS_KEYS": f"CONFIGURED:{SECRET}", "XDG_DATA_HOME": str(home), "EMBEDWAY_LOG_LEVEL": "debug"}
    for name in ("one", "two"):
        (home / name).mkdir()
    with (
        serving(home / "one", "--model", "m=fake", env=env) as one,
        serving(home / "two", "--model", "m=fake", "--root-path", "/root", env=env) as two,
    ):
        yield one, two


def keys(home: Path, *arguments: str) -> str:
    """Run `embedway keys` on the servers' database; returns what it prints."""
    ended = subprocess.run(
        [sys.executable, "-m", "embedway", "keys", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_DATA_HOME": str(home)},
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def ask(server: Server, signer: Signer) -> Answer:
    return send(server, "POST", PATH, BODY, headers=signer.sign("POST", PATH, BODY, host=f"127.0.0.1:{server.port}"))


def soon(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s, f"not so after {WITHIN_S:g} s"
        time.sleep(0.05)


def test_a_nonce_is_good_for_one_process(pair: tuple[Server, Server]) -> None:
    """A request that one server has believed is refused by the other, and the other way round."""
    for first, second in (pair, pair[::-1]):
        for signer in (CONFIGURED, Signer("CONFIGURED", SECRET)):
            headers = signer.sign("POST", PATH, BODY, host="127.0.0.1")
            assert send(first, "POST", PATH, BODY, headers=headers).status == 200
            assert vendor_refusal(send(second, "POST", PATH, BODY, headers=headers), 400).code == "SignatureNonceUsed"


def test_keys_come_and_go_while_servers_run(home: Path, pair: tuple[Server, Server]) -> None:
    """A new key signs within a second on every server, and not one second longer than it is revoked."""
    made = json.loads(keys(home, "create", "--access-key", "--note", "for the test", "--json"))
    signer = Signer(made["id"], made["secret"])
    for server in pair:
        soon(lambda server=server: ask(server, signer).status == 200)
    listed = keys(home, "list")
    assert made["id"] in listed
    assert made["secret"] not in listed
    keys(home, "revoke", made["id"])
    for server in pair:
        soon(lambda server=server: ask(server, signer).status == 403)
        assert vendor_refusal(ask(server, signer), 403).code == "InvalidAccessKeyId.Inactive"
    for server in pair:
        assert made["secret"] not in server.output()
        assert made["secret"] not in get(server, "/metrics").body.decode()


def test_permissions_hold_on_the_data_plane(home: Path, pair: tuple[Server, Server]) -> None:
    """A key for one workspace and one action does that and nothing else."""
    permission = "searchplat:GetTextEmbedding@acs:searchplat:*:*:workspace/default"
    made = json.loads(keys(home, "create", "--access-key", "--permission", permission, "--expires-in", "1h", "--json"))
    signer = Signer(made["id"], made["secret"], "ACS4-HMAC-SHA256")
    soon(lambda: ask(pair[0], signer).status == 200)
    other = PATH.replace("default", "other")
    refused = send(pair[0], "POST", other, BODY, headers=signer.sign("POST", other, BODY))
    assert vendor_refusal(refused, 403).code == "NoPermission"
    body = b'{"model":"m","input":"hi"}'
    openai = send(pair[0], "POST", "/v1/embeddings", body, headers=signer.sign("POST", "/v1/embeddings", body))
    assert (openai.status, openai.json()["error"]["code"]) == (403, "no_permission")


def test_under_a_root_path(pair: tuple[Server, Server]) -> None:
    """Signed as called, with the prefix or without."""
    for path in (f"/root{PATH}", PATH):
        assert send(pair[1], "POST", path, BODY, headers=CONFIGURED.sign("POST", path, BODY)).status == 200
    headers = CONFIGURED.sign("POST", PATH, BODY, signed_path=f"/root{PATH}")
    assert send(pair[1], "POST", PATH, BODY, headers=headers).status == 200, "the proxy stripped the prefix"


def test_the_control_plane_asks_for_proof(pair: tuple[Server, Server]) -> None:
    """Also on loopback without keys: a signature over every part, or nothing."""
    for server, path in ((pair[0], MODELS), (pair[1], f"/root{MODELS}")):
        host = f"http://127.0.0.1:{server.port}"
        assert send(server, "GET", path).status == 401
        assert send(server, "GET", path, key="any").status == 401
        for signer in (CONFIGURED, Signer("CONFIGURED", SECRET)):
            signed = signer.sign("GET", path, host=host)
            assert send(server, "GET", path, headers=signed).json()["result"] == []
            assert send(server, "GET", path, headers=signed).json()["code"] == "SignatureNonceUsed"
            signed = signer.sign("GET", path, host=host)
            refused = send(server, "GET", f"{path}?name=x", headers=signed)
            assert (refused.status, refused.json()["code"]) == (400, "SignatureDoesNotMatch")
            foreign = signer.sign("GET", path, host=host) | {"Origin": "https://embed.example"}
            assert send(server, "GET", path, headers=foreign).status == 403


def test_the_document_says_who_must_prove_what(pair: tuple[Server, Server]) -> None:
    """The control plane a key or a signature, also where the data plane is open."""
    document = get(pair[0], "/openapi.json").json()
    proofs = document["paths"]["/openapi/ha3/instances/{instance}/models"]["get"]["security"]
    assert (
        {name for proof in proofs for name in proof}
        == {"key", "signature"}
        == set(document["components"]["securitySchemes"])
    )
    assert "security" not in document["paths"]["/v1/embeddings"]["post"]
    assert "security" not in document


def test_a_permission_for_an_instance_is_for_no_other(home: Path, pair: tuple[Server, Server]) -> None:
    """As the document's authorization table names action and resource."""
    permission = "searchengine:ListModels@acs:searchengine:*:*:instance/default"
    made = json.loads(keys(home, "create", "--access-key", "--permission", permission, "--json"))
    signer = Signer(made["id"], made["secret"])
    soon(lambda: send(pair[0], "GET", MODELS, headers=signer.sign("GET", MODELS)).status == 200)
    for method, path in (
        ("GET", MODELS.replace("default", "ha-cn-y")),
        ("GET", f"{MODELS}/m1"),
        ("DELETE", f"{MODELS}/m1"),
    ):
        refused = send(pair[0], method, path, headers=signer.sign(method, path))
        assert (refused.status, refused.json()["code"]) == (403, "NoPermission")


def test_unsigned_calls_are_as_open_as_before(pair: tuple[Server, Server]) -> None:
    """Access keys do not end the keyless mode; a signature that is wrong is refused all the same."""
    assert post(pair[0], PATH, {"input": "hi"}).status == 200
    wrong = ask(pair[0], Signer("CONFIGURED", "wrong"))
    assert vendor_refusal(wrong, 400).code == "SignatureDoesNotMatch"


def test_no_secret_is_logged_or_told(home: Path, pair: tuple[Server, Server]) -> None:
    """Neither in the log, at its finest level, nor in answers, metrics or the database."""
    told = [ask(pair[0], CONFIGURED), ask(pair[0], Signer("CONFIGURED", SECRET + "x")), get(pair[0], "/metrics")]
    assert [answer.status for answer in told] == [200, 400, 200]
    for server in pair:
        assert SECRET not in server.output()
    assert not any(SECRET.encode() in answer.body for answer in told)
    assert not any(SECRET.encode() in file.read_bytes() for file in (home / "embedway").iterdir())
