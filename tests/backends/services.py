"""A service that behaves as a test tells it: its HTTP is written by hand, so that it can be wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from embedway.backends.base import Outcome
from embedway.backends.remote import RemoteBackend
from embedway.errors import EmbedwayError
from embedway.types import Item, ModelSpec, Outputs, Phase, RemoteKind, RemoteSpec, Text

STARTED_S = 10


@dataclass(frozen=True)
class Question:
    """One request as it arrived; `peer` tells its connection from others."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What is sent back: a status and a body, or raw `pieces` with a pause before each; then perhaps `closed`."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    pieces: tuple[bytes, ...] = ()
    pause_s: float = 0.0
    closed: bool = False
    reset: bool = False
    never: bool = False

    def raw(self) -> tuple[bytes, ...]:
        if self.pieces or self.reset or self.never:
            return self.pieces
        head = [f"HTTP/1.1 {self.status} X", f"content-length: {len(self.body)}"]
        head += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(head).encode() + b"\r\n\r\n" + self.body,)


def vectors(*rows: object, **more: object) -> Reply:
    """The platform's answer with these vectors."""
    found = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
    return Reply(body=json.dumps({"result": {"embeddings": found}} | more).encode())


def length_vectors(question: Question) -> Reply:
    """For each text a vector of two numbers: its length and 1."""
    given = question.json()["input"]
    return vectors(*([float(len(text)), 1.0] for text in ([given] if isinstance(given, str) else given)))


@dataclass
class Misbehaving:
    """Answers on a thread of its own as `behave` says; keeps what it was asked."""

    behave: Callable[[Question], Reply] = length_vectors
    asked: list[Question] = field(default_factory=list)
    most_at_once: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._at_once = 0
        self._peers = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/embed"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(STARTED_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(STARTED_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        talks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers += 1
        peer = self._peers
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while await self._answer(await _read(reader, peer), writer):
                pass
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _answer(self, question: Question, writer: asyncio.StreamWriter) -> bool:
        self.asked.append(question)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.behave(question)
            for piece in reply.raw():
                await asyncio.sleep(reply.pause_s)
                writer.write(piece)
                await writer.drain()
            if reply.never:
                await asyncio.sleep(3600)
        finally:
            self._at_once -= 1
        if reply.reset:  # the system then sends RST instead of FIN
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not (reply.closed or reply.reset)


NEVER = Reply(never=True)


async def _read(reader: asyncio.StreamReader, peer: int) -> Question:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Question(method, path, headers, body, peer)


def remote(url: str, kind: RemoteKind = "text_embedding", **given: Any) -> RemoteSpec:
    """A definition for a service on loopback; a text goes alone in its request."""
    usual = {
        "body": '{"input": "%{input}", "input_type": "%{input_type}"}',
        "response": "$.result.embeddings[*].embedding",
        "build": Phase({"input_type": "document"}),
        "search": Phase({"input_type": "query"}),
        "dimensions": 2 if kind.endswith("embedding") and "sparse" not in kind else 0,
        "private": True,
        "timeout_s": 2.0,
    }
    return RemoteSpec(kind, url, **usual | given)


MANY = '{"input": ["%{input}"], "input_type": "%{input_type}"}'


def registered(definition: RemoteSpec, name: str = "far", namespace: str = "default") -> ModelSpec:
    return ModelSpec(name, "remote", namespace=namespace, remote=definition, keep_alive_s=60.0)


@contextlib.contextmanager
def misbehaving(behave: Callable[[Question], Reply] = length_vectors) -> Iterator[Misbehaving]:
    with Misbehaving(behave) as service:
        yield service


@contextlib.contextmanager
def asking(
    behave: Callable[[Question], Reply] = length_vectors, **given: Any
) -> Iterator[tuple[RemoteBackend, Misbehaving]]:
    """An open backend and the service that it asks."""
    with misbehaving(behave) as service:
        backend = RemoteBackend(registered(remote(given.pop("url", service.url), **given)))
        try:
            yield backend, service
        finally:
            backend.close()


def ask(backend: RemoteBackend, *texts: str | Item) -> Sequence[Outcome]:
    """The outcomes of documents, or of items as they are."""
    items = [Text(text) if isinstance(text, str) else text for text in texts]
    return backend.run([backend.prepare(item) for item in items])


def lengths(outcomes: Sequence[Outcome]) -> list[float]:
    """The first number of each vector; all must be there."""
    found = []
    for one in outcomes:
        assert isinstance(one, Outputs), one
        assert one.dense is not None
        assert one.dense.dtype == np.float32
        found.append(float(one.dense[0]))
    return found


def said(outcome: Outcome) -> str:
    assert isinstance(outcome, EmbedwayError), outcome
    return outcome.message
