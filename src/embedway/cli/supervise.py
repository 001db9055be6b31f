"""`embedway serve --supervise`: run the server in a child process, and start it again after a crash or a hang."""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from types import FrameType

from embedway.cli.heartbeat import VARIABLE

log = logging.getLogger(__name__)

SILENCE_S = 20.0
"""Without a life sign for this long, the child counts as hung and is killed."""
STARTUP_S = 120.0
"""The same, before the first life sign."""
BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
STEADY_S = 60.0
"""A child that lived this long starts the backoff anew."""
FINAL = (0, 2)
"""Exit statuses that a restart would not change: told to stop, and a configuration at fault."""


def supervise(command: Sequence[str], drain_s: float, renews: bool = False) -> int:
    """Keep `command` running until it ends by itself or this process is told to stop; returns the exit status.

    `renews` says that it reads its configuration anew at SIGHUP, which is then passed on.
    """
    return _Supervisor(command, drain_s, renews).run()


class _Supervisor:
    def __init__(self, command: Sequence[str], drain_s: float, renews: bool) -> None:
        self._command = list(command)
        self._renews = renews
        self._drain_s = drain_s
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        if self._renews and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._pass_on)
        failures = 0
        while True:
            started_s = time.monotonic()
            status = self._live()
            if self._stopping or status in FINAL:
                return 0 if self._stopping else status
            failures = 1 if time.monotonic() - started_s > STEADY_S else failures + 1
            pause_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]
            log.error("The server ended with status %d: it is started again in %g s.", status, pause_s)
            self._pause(pause_s)
            if self._stopping:
                return 0

    def _live(self) -> int:
        """One life of the child."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        environment = os.environ | {VARIABLE: str(writing)}
        try:
            # a group of its own: Ctrl-C reaches the child through this process only, once
            self._child = subprocess.Popen(self._command, env=environment, pass_fds=(writing,), process_group=0)  # noqa: S603 -- our own command
            os.close(writing)
            if self._stopping:
                self._child.terminate()
            self._listen(self._child, reading)
            return self._child.wait()
        finally:
            os.close(reading)
            self._child = None

    def _listen(self, child: subprocess.Popen[bytes], reading: int) -> None:
        """Return when the child has ended, or has been killed for its silence or for not draining in time."""
        last_s, allowed_s, stopping_s = time.monotonic(), STARTUP_S, None
        while child.poll() is None:
            ready, _, _ = select.select([reading], [], [], 0.2)
            now_s = time.monotonic()
            if ready and os.read(reading, 4096):
                last_s, allowed_s = now_s, SILENCE_S
            elif ready:
                time.sleep(0.05)  # the pipe is closed: the child is ending
            if self._stopping and stopping_s is None:
                stopping_s = now_s
            if now_s - last_s > allowed_s or (
                stopping_s is not None and now_s - stopping_s > self._drain_s + SILENCE_S
            ):
                log.error("The server gives no sign of life: it is killed.")
                child.kill()
                return

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._stopping and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(0.1, left_s))

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """The child reads its configuration anew."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
