"""A bare HTTP/1.1 client connection: little work per request, because it shares the cores with the server."""

from __future__ import annotations

import asyncio


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request in flight at a time. Answers must carry `Content-Length`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.received = bytearray()
        self.body_start = 0
        self.expected = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send the bytes of one request; the future gives status and body."""
        assert self.transport
        assert self.answer is None or self.answer.done()
        self.received.clear()
        self.body_start = 0
        self.answer = asyncio.get_running_loop().create_future()
        if self.transport.is_closing():
            self.answer.set_exception(ConnectionError("the server closed the connection"))
        else:
            self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        """Gather until the announced length is there."""
        self.received += data
        if not self.body_start:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            self.body_start = end + 4
            head = bytes(self.received[:end]).lower()
            _, mark, rest = head.partition(b"\r\ncontent-length:")
            if not mark:
                self.fail(ValueError(f"an answer without Content-Length: {head!r}"))
                return
            self.expected = self.body_start + int(rest.split(b"\r\n", 1)[0])
        if len(self.received) >= self.expected and self.answer and not self.answer.done():
            self.answer.set_result((int(self.received[9:12]), bytes(self.received[self.body_start :])))

    def connection_lost(self, error: Exception | None) -> None:
        """An answer still awaited fails."""
        self.fail(error or ConnectionError("the server closed the connection"))

    def fail(self, error: Exception) -> None:
        """End the wait for an answer with this error."""
        if self.answer and not self.answer.done():
            self.answer.set_exception(error)

    def close(self) -> None:
        """Close the connection."""
        if self.transport:
            self.transport.close()


async def connect(host: str, port: int) -> Connection:
    """Open one connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


def post(host: str, port: int, path: str, body: bytes, key: str = "") -> bytes:
    """The bytes of a POST of a JSON body, with an API key if there is one."""
    head = [f"POST {path} HTTP/1.1", f"Host: {host}:{port}", "Content-Type: application/json"]
    head += [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", "")).encode() + body
