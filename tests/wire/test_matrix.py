"""What is open when: every kind of credential on every kind of route, of servers with and without keys."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.access.signing import Signer
from tests.cli.command import run
from tests.server import Server, refusal, serving

from .errors import any_refusal
from .exchange import send

CONFIG_KEY, CONFIG_ADMIN = "OS-of-the-configuration", "OS-admin-of-the-configuration"
CONFIGURED = {
    "EMBEDWAY_API_KEY": CONFIG_KEY,
    "EMBEDWAY_ADMIN_KEY": CONFIG_ADMIN,
    "EMBEDWAY_ACCESS_KEYS": "CONFIGURED:a-configured-secret",
}
MODEL = ("--model", "m=fake:8")
EVERYWHERE = ("--host", "0.0.0.0")
# name: the flags, the environment, what stands in the database (None: there is none)
SERVERS: dict[str, tuple[tuple[str, ...], Mapping[str, str], tuple[str, ...] | None]] = {
    "loopback, only an access key stored": ((), {}, ("access",)),
    "loopback, keys stored": (("--protect-metrics",), {}, ("api", "admin", "access")),
    "loopback, keys configured": ((), CONFIGURED, None),
    "loopback, the only key revoked": ((), {}, ("revoked",)),
    "published, no keys": (EVERYWHERE, {}, ()),
    "published, anyone": ((*EVERYWHERE, "--no-auth"), {}, None),
}
CREDENTIALS = ("nothing", "wrong", "config key", "config admin", "config access", "api", "admin", "access", "revoked")

_STRANGER = {"data": 401, "control": 401, "metrics": 200}
_ANYONE = {"data": 200, "control": 401, "metrics": 200}
_KEY = {"data": 200, "control": 403, "metrics": 200}
_MANAGER = {"data": 200, "control": 200, "metrics": 200}
_SHUT = {"data": 401, "control": 401, "metrics": 401}
_UNKNOWN_ID = {"data": 404, "control": 404, "metrics": 200}  # a signature is judged, whether it is needed or not
EXPECTED: dict[str, dict[str, Mapping[str, int]]] = {
    "loopback, only an access key stored": dict.fromkeys(CREDENTIALS, _ANYONE)
    | {"config access": _UNKNOWN_ID, "access": _MANAGER},
    "loopback, keys stored": dict.fromkeys(CREDENTIALS, _SHUT)
    | {"config access": _UNKNOWN_ID | {"metrics": 404}, "api": _KEY, "admin": _MANAGER, "access": _MANAGER},
    "loopback, keys configured": dict.fromkeys(CREDENTIALS, _STRANGER)
    | {"config key": _KEY, "config admin": _MANAGER, "config access": _MANAGER, "access": _UNKNOWN_ID},
    "loopback, the only key revoked": dict.fromkeys(CREDENTIALS, _STRANGER)
    | {"config access": _UNKNOWN_ID, "access": _UNKNOWN_ID},
    "published, no keys": dict.fromkeys(CREDENTIALS, _STRANGER) | {"config access": _UNKNOWN_ID, "access": _UNKNOWN_ID},
    "published, anyone": dict.fromkeys(CREDENTIALS, _ANYONE) | {"config access": _UNKNOWN_ID, "access": _UNKNOWN_ID},
}


class Site:
    """One server, and the keys that were made in its database."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._flags, self._env, stored = SERVERS[name]
        self._folder = folder
        self._made: dict[str, dict[str, str]] = {}
        folder.mkdir()
        if stored is not None:
            self._keys("list")
        for kind in stored or ():
            flags = {"admin": ["--admin"], "access": ["--access-key"]}.get(kind, [])
            self._made[kind] = json.loads(self._keys("create", *flags, "--json"))
        if "revoked" in self._made:
            self._keys("revoke", self._made["revoked"]["id"])

    def serve(self) -> contextlib.AbstractContextManager[Server]:
        return serving(self._folder, *MODEL, *self._flags, env=self._env)

    def headers(self, credential: str, method: str, path: str, body: bytes) -> dict[str, str]:
        """What this caller sends; one whose key this database does not have makes something up."""
        if credential in ("config access", "access"):
            made = self._made.get("access", {"id": "NOBODY", "secret": "none"})
            signer = Signer(made["id"], made["secret"])
            if credential == "config access":
                signer = Signer("CONFIGURED", "a-configured-secret")
            return signer.sign(method, path, body)
        known = {"wrong": "OS-wrong", "config key": CONFIG_KEY, "config admin": CONFIG_ADMIN}
        if credential == "nothing":
            return {}
        token = known.get(credential) or self._made.get(credential, {}).get("key", "OS-made-up")
        return {"Authorization": f"Bearer {token}"}

    def _keys(self, *arguments: str) -> str:
        ended = run("keys", *arguments, env={"XDG_DATA_HOME": str(self._folder)})
        assert ended.status == 0, ended
        return ended.out


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Site, Server]]]:
    """All of them, started side by side."""
    folder = tmp_path_factory.mktemp("matrix")
    made = [Site(folder / str(number), name) for number, name in enumerate(SERVERS)]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(made)) as pool:
        started = pool.map(lambda site: (site, stack.enter_context(site.serve())), made)
        yield {site.name: (site, server) for site, server in started}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_who_may_do_what(sites: dict[str, tuple[Site, Server]], name: str, credential: str) -> None:
    """The data plane by its keys, the control plane by a signature or an admin key, the rest is open."""
    site, server = sites[name]

    def ask(method: str, path: str, body: bytes = b"") -> int:
        headers = site.headers(credential, method, path, body)
        answer = send(server, method, path, body or None, headers=headers)
        if answer.status != 200:
            any_refusal(answer, answer.status)
        return answer.status

    expected = EXPECTED[name][credential]
    as_openai = {part: 401 if status == 404 else status for part, status in expected.items()}  # its word for a stranger
    assert ask("POST", "/v3/openapi/workspaces/default/text-embedding/m", b'{"input":"hi"}') == expected["data"]
    assert ask("POST", "/v1/embeddings", b'{"model":"m","input":"hi"}') == as_openai["data"]
    assert ask("GET", "/v1/models") == as_openai["data"]
    assert ask("GET", "/openapi/platform/workspaces") == expected["control"]
    assert ask("GET", "/openapi/ha3/instances/default/models") == expected["control"]
    for path in ("/metrics", "/docs", "/openapi.json"):
        assert ask("GET", path) == as_openai["metrics"]
    for path in ("/health", "/ready"):
        assert ask("GET", path) == 200


def test_a_refused_start(tmp_path: Path) -> None:
    """On an address that is not loopback, without any key, database or word that anyone may call."""
    said = refusal(tmp_path, *MODEL, *EVERYWHERE)
    assert "--no-auth" in said
