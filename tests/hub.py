"""A stand-in of the Hugging Face hub on loopback: its file API, as far as the unchanged client library uses it.

    with Hub() as hub:
        hub.add("org/name", folder)
        subprocess.run([...], env=hub.environment(home))

The library reads its settings when it is imported, so what is tested runs in a process of its own. `write_model` makes
a model to serve: random weights in the real file formats.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from safetensors.numpy import save_file

HIDDEN = 8
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
TOKENIZER = {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_size": HIDDEN,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "vocab_size": 16,
}


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def write_model(folder: Path, *, bare: bool = False, seed: int = 0) -> Path:
    """Write a tiny model and return its folder; `bare` is without the files of sentence-transformers."""
    write_json(folder / "config.json", CONFIG)
    write_json(folder / "tokenizer.json", TOKENIZER)
    write_json(folder / "tokenizer_config.json", {"model_max_length": 512})
    if not bare:
        write_json(folder / "modules.json", MODULES)
        write_json(
            folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True}
        )
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    save_file(tensors(seed), folder / "model.safetensors")
    return folder


def tensors(seed: int = 0) -> dict[str, Any]:
    """Some weights, more than the 64 KiB of which samples are taken."""
    numbers = np.random.default_rng(seed)
    return {name: numbers.standard_normal((64, 256), dtype=np.float32) for name in ("first", "second", "third")}


@dataclass
class Repository:
    """A folder as the hub has it. `cut` ends the first answers with this file's content after so many bytes."""

    folder: Path
    commit: str
    branch: str = "main"
    private: bool = False
    gated: bool = False
    cut: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def etag(self, name: str) -> str:
        """The digest of a file, as the hub gives it for large ones."""
        if name not in self.digests:
            self.digests[name] = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
        return self.digests[name]

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


class Hub:
    """The server. `requests` are the lines of all requests, "GET /org/name/…"; `stall` lets every one wait in vain."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.stall = False
        self.requests: list[str] = []
        self.repositories: dict[str, Repository] = {}
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Requests)
        self._server.hub = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, name: str, folder: Path, **facts: Any) -> Repository:
        """Serve a folder as `org/name`; its commit, unless given, follows from its name."""
        facts.setdefault("commit", hashlib.sha1(name.encode()).hexdigest())
        self.repositories[name] = Repository(folder, **facts)
        return self.repositories[name]

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """The environment of a process that uses this hub and keeps its cache in `home`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        chosen = {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }
        return {**kept, **chosen, **more}

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: Hub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        hub, path = self.server.hub, unquote(urlsplit(self.path).path)
        hub.requests.append(f"{self.command} {path}")
        if hub.stall:
            hub.closing.wait()
            self.close_connection = True
            return
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self.answer_info(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.answer_file(found[1], found[2], found[3])
        else:
            self.answer(404, {"error": "not a route of this stand-in"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer_info(self, name: str, revision: str) -> None:
        """What is in a repository; a gated one shows this to everybody."""
        if repository := self.allowed(name, revision, gate=False):
            siblings = [{"rfilename": file} for file in repository.names()]
            self.answer(
                200, {"id": name, "sha": repository.commit, "siblings": siblings, "private": repository.private}
            )

    def answer_file(self, name: str, revision: str, file: str) -> None:
        """One file, from the byte on that a Range asks for."""
        repository = self.allowed(name, revision, gate=True)
        if repository is None:
            return
        commit = {"X-Repo-Commit": repository.commit}
        if file not in repository.names():
            self.answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", **commit})
            return
        content = (repository.folder / file).read_bytes()
        headers = {"ETag": f'"{repository.etag(file)}"', "Accept-Ranges": "bytes", **commit}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        upto = repository.cut.pop(file, None) if self.command == "GET" else None
        self.send(206 if asked else 200, content[start:], headers, upto)

    def allowed(self, name: str, revision: str, *, gate: bool) -> Repository | None:
        """The repository, or an answer that says why not; a private one is denied as if it did not exist."""
        hub = self.server.hub
        repository = hub.repositories.get(name)
        known = bool(hub.token) and self.headers.get("Authorization") == f"Bearer {hub.token}"
        if repository is None or (repository.private and not known):
            self.answer(401, {"error": "Invalid username or password."}, {"X-Error-Code": "RepoNotFound"})
        elif gate and repository.gated and not known:
            self.answer(403, {"error": "Access to this model is restricted."}, {"X-Error-Code": "GatedRepo"})
        elif revision not in (repository.branch, repository.commit):
            self.answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        else:
            return repository
        return None

    def answer(self, status: int, document: object, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send(status, body, {"Content-Type": "application/json", **(headers or {})})

    def send(self, status: int, body: bytes, headers: Mapping[str, str], upto: int | None = None) -> None:
        """Answer; after `upto` bytes of the body the connection ends."""
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:upto])
        self.close_connection = self.close_connection or upto is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the base class's
        """Tests keep their output."""
