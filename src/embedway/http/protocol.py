"""HTTP/1.1 on a connection, with bounds on a request's head: uvicorn bounds neither its bytes nor its seconds.

What goes wrong before a request can be routed is answered as JSON in OpenAI's form, like every other error.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from embedway.http.dialects.openai import ErrorDetail, ErrorReply

MAX_HEAD_BYTES = 64 * 1024
HEAD_TIMEOUT_S = 20.0


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are larger or slower than anyone needs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = True
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False
        self._shutting_down = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request's headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # fields behind a chunked body are nobody's business here, and could go on for ever
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._head_bytes = True, 0

    def on_response_complete(self) -> None:
        if self._shutting_down:  # what was sent ahead has not been begun, and its sender can tell
            self.pipeline.clear()
        if (self._shutting_down or self._broken) and not self.pipeline:
            self.transport.close()
        super().on_response_complete()

    def shutdown(self) -> None:
        self._shutting_down = True
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(HEAD_TIMEOUT_S, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._answering:
            self._start_timer()
        elif self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request's headers did not arrive in time.")

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        if self.transport.is_closing() or self._broken:
            return
        if self._answers_come_first():
            self._broken = True
            self.flow.pause_reading()
            return
        detail = ErrorDetail(message, "invalid_request_error", None, status.name.lower())
        body = msgspec.json.encode(ErrorReply(detail))
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _answers_come_first(self) -> bool:
        """Whether earlier requests of this connection wait for their answers; the broken one gets none then."""
        if self._answering and self.cycle.more_body:  # its body is what broke: nobody can answer it
            if not self.pipeline:
                return False
            self.pipeline.popleft()
        return self._answering
