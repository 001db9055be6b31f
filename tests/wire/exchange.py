"""Send one request, read one answer: with http.client where that is enough, byte by byte where it is not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.server import Connection, Server

KEY = "OS-testkey"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in any case) and body of a response."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; NaN, Infinity and another content type are failures."""
        kind = self.headers.get("content-type", "")
        assert kind.split(";")[0].strip() == "application/json", f"{self.status} {kind}: {self.body[:200]!r}"
        return json.loads(self.body, parse_constant=_refuse)


def send(
    server: Server,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Answer:
    """Send a request. `body` may be bytes, which go out untouched, or what JSON can say; `key` goes out as Bearer."""
    sent = {"Content-Type": "application/json"} if body is not None else {}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    sent.update(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    connection = Connection(server, TIMEOUT_S)
    try:
        connection.request(method, path, body, sent)
        return _read(connection.getresponse())
    finally:
        connection.close()


def post(server: Server, path: str, body: Any, **more: Any) -> Answer:
    """Send `body` with POST."""
    return send(server, "POST", path, body, **more)


def get(server: Server, path: str, **more: Any) -> Answer:
    """Ask with GET."""
    return send(server, "GET", path, **more)


def send_bytes(server: Server, request: bytes) -> Answer:
    """Send these very bytes and read the answer."""
    with server.open_socket(TIMEOUT_S) as sock:
        sock.sendall(request)
        response = http.client.HTTPResponse(sock, method=request.split(b" ", 1)[0].decode())
        try:
            response.begin()
            return _read(response)
        finally:
            response.close()


def announce(server: Server, path: str, length: int, **headers: str) -> Answer:
    """Announce a body of `length` bytes, send none of it, and read the answer."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json"]
    lines += [f"Content-Length: {length}", *(f"{name}: {value}" for name, value in headers.items())]
    return send_bytes(server, "\r\n".join([*lines, "", ""]).encode())


def _read(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, response.headers, response.read())


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")
