"""Looking up names: on threads of its own, because a name service that hangs must hold up nobody else's work."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Sequence
from typing import Any

THREADS = 8
"""Look-ups at the same time, in the whole process; the others wait, for as long as their callers do."""

_Name = tuple[str, int]
_Found = Sequence[tuple[Any, ...]]
_Waiter = asyncio.Future[_Found]


async def look_up(host: str, port: int) -> _Found:
    """As `socket.getaddrinfo` for TCP. Raises `OSError`, `UnicodeError`."""
    try:  # what is an address already needs no thread
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await _LOOK_UPS.find((host, port))


class _LookUps:
    """At most `THREADS` daemon threads, started when first needed; all who ask for a name meanwhile share one look-up.

    The interpreter waits for the threads of Python's own executor before it ends, and whatever else runs there waits
    behind a name that hangs.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[_Name] = queue.SimpleQueue()
        self._waiting: dict[_Name, list[_Waiter]] = {}
        self._lock = threading.Lock()
        self._started = 0

    async def find(self, name: _Name) -> _Found:
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            waiters = self._waiting.setdefault(name, [])
            waiters.append(waiter)
            if len(waiters) == 1:
                self._ask(name)
        return await waiter

    def _ask(self, name: _Name) -> None:
        self._asked.put(name)
        if self._started < THREADS:
            threading.Thread(target=self._serve, name=f"names {self._started}", daemon=True).start()
            self._started += 1

    def _serve(self) -> None:
        while True:
            name = self._asked.get()
            if self._left(name):
                continue
            found: _Found | Exception
            try:
                found = socket.getaddrinfo(*name, type=socket.SOCK_STREAM)
            except Exception as error:  # the waiters get whatever it was; the thread goes on
                found = error
            with self._lock:
                waiters = self._waiting.pop(name)
            for waiter in waiters:
                with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                    waiter.get_loop().call_soon_threadsafe(_tell, waiter, found)

    def _left(self, name: _Name) -> bool:
        """Whether all who asked have gone."""
        with self._lock:
            left = all(waiter.done() for waiter in self._waiting[name])
            if left:
                del self._waiting[name]
        return left


def _tell(waiter: _Waiter, found: _Found | Exception) -> None:
    if waiter.done():
        return
    if isinstance(found, Exception):
        waiter.set_exception(found)
    else:
        waiter.set_result(found)


_LOOK_UPS = _LookUps()
