"""Life signs from a served process to its supervisor, through a pipe: they work whatever the server listens on."""

from __future__ import annotations

import asyncio
import os
import signal

VARIABLE = "EMBEDWAY_HEARTBEAT_FD"
INTERVAL_S = 1.0


async def beat() -> None:
    """Write a byte a second from the event loop; ends at once in a process that nobody supervises.

    A supervisor that was killed leaves a broken pipe: then this process stops too, so that no orphan keeps the port.
    """
    descriptor = os.environ.get(VARIABLE, "")
    if not descriptor.isdecimal():
        return
    while True:
        try:
            os.write(int(descriptor), b".")
        except BlockingIOError:
            pass  # the supervisor is slow to read: life signs enough are waiting for it
        except OSError:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        await asyncio.sleep(INTERVAL_S)
