"""The store's own threads: a database that does not answer must hold up nobody else's work, nor the process's end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """At most `count` daemon threads, started when first needed.

    Python's own executor is no use here: the interpreter waits for its threads before it ends, however long a
    connection hangs.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._started: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run `work` on one of the threads. Raises `RuntimeError` after `stop`."""
        future: Future[T] = Future()
        with self._lock:
            if self._stopped:
                raise RuntimeError("the threads of the store have been stopped")
            self._waiting.put((future, work))
            if len(self._started) < self._count:
                thread = threading.Thread(target=self._serve, name=f"store {len(self._started)}", daemon=True)
                self._started.append(thread)
                thread.start()
        return future

    def stop(self, timeout_s: float) -> None:
        """Take no more work and wait for what was taken, for so long at most."""
        with self._lock:
            self._stopped = True
            for _ in self._started:
                self._waiting.put(None)
        until_s = time.monotonic() + timeout_s
        for thread in self._started:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _serve(self) -> None:
        while (taken := self._waiting.get()) is not None:
            future, work = taken
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # the waiter gets whatever it was; the thread goes on
                future.set_exception(error)
            else:
                future.set_result(result)
            del taken, future, work  # what a waiter has left must not stay alive until the next work comes
