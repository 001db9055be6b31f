"""Start the real server as a process, wait until it is ready, and stop it again.

    with serving(folder, "--stand-in", config=TOML) as server:
        server.url, server.port, server.output()

Every wait is bounded. A server is stopped by SIGTERM to its own process, and a traceback in its log is a failure.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
START_S = 90
STOP_S = 20
POLL_S = 0.05
TAIL_CHARACTERS = 4000


class Connection(http.client.HTTPConnection):
    """One HTTP connection to a server, over TCP or over its Unix socket."""

    def __init__(self, server: Server, timeout_s: float = 60) -> None:
        super().__init__(HOST, server.port, timeout=timeout_s)
        self._server = server

    def connect(self) -> None:
        self.sock = self._server.open_socket(self.timeout)


@dataclass(frozen=True)
class Server:
    """A running server. `uds` is the path of its Unix socket, when that is where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    uds: Path | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def open_socket(self, timeout_s: float | None) -> socket.socket:
        """Return a connected socket, which the caller closes."""
        if self.uds is None:
            return socket.create_connection((HOST, self.port), timeout=timeout_s)
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(timeout_s)
        try:
            connected.connect(str(self.uds))
        except OSError:
            connected.close()
            raise
        return connected

    def output(self) -> str:
        """Return all that the server has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def ready(self) -> bool:
        """Say whether `GET /ready` answers 200."""
        connection = Connection(self, timeout_s=10)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait(self, within_s: float = START_S) -> None:
        """Return when the server is ready; raise with its log when it ends first or takes too long."""
        until = time.monotonic() + within_s
        while not self.ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > until:
                raise AssertionError(f"the server was not ready after {within_s:g} s:\n{self.tail()}")
            time.sleep(POLL_S)

    def stop(self, within_s: float = STOP_S) -> int:
        """Send SIGTERM and return the exit status; kill, and raise, when it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server ignored SIGTERM for {within_s:g} s:\n{self.tail()}") from None

    def tail(self) -> str:
        return self.output()[-TAIL_CHARACTERS:]


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    folder: Path,
    *flags: str,
    config: str = "",
    env: Mapping[str, str] | None = None,
    uds: Path | None = None,
) -> Iterator[Server]:
    """Run a ready server for the length of a `with` block. Its log and its configuration are kept in `folder`."""
    port = free_port()
    listen = ["--uds", str(uds)] if uds else ["--host", HOST, "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(folder, [*listen, *flags], config),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(folder, env),
        )
    server = Server(process, port, log, uds)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.output(), f"a traceback in the server's log:\n{server.tail()}"


def refusal(folder: Path, *flags: str, config: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a server that must not start, and return what it said; raise when it starts or does not end."""
    ended = subprocess.run(
        _command(folder, list(flags), config),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(folder, env),
        timeout=START_S,
        check=False,
    )
    said = ended.stdout.decode("utf-8", errors="replace")
    assert ended.returncode > 0, f"exit status {ended.returncode}:\n{said}"
    assert "Traceback" not in said, said
    return said


def _command(folder: Path, flags: list[str], config: str) -> list[str]:
    command = [sys.executable, "-m", "embedway", "serve", *flags]
    if config:
        file = folder / "embedway.toml"
        file.write_text(config, encoding="utf-8")
        command += ["--config", str(file)]
    return command


def _environment(folder: Path, extra: Mapping[str, str] | None) -> dict[str, str]:
    """Return this process's environment without its settings for Embedway, offline, its data in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDWAY_")}
    own = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "XDG_DATA_HOME": str(folder)}
    return kept | own | dict(extra or {})
