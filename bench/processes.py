"""Server processes: start, wait for the first answer, pause, measure, end. Linux only (`/proc`, process groups)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.paths import LOGS, REPOSITORY

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings that would change a rival behind the benchmark's back."""
    meant_for_rivals = ("EMBEDWAY_", "INFINITY_", "OMP_", "MKL_", "ONEDNN_", "DNNL_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(meant_for_rivals)}
    return kept | dict(extra)


class Server:
    """A server in a process group of its own. `start_s`: seconds from the process's start to the first embedding."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], port: int) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = port
        self.log: Path = LOGS / f"{name}.txt"
        self.start_s = 0.0
        self.started = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=REPOSITORY,
                env=clean_environment(environment),
                start_new_session=True,
            )

    def await_first_embedding(self, path: str, body: dict[str, object], limit_s: float = 180.0) -> None:
        """Ask again and again until the first answer with status 200; refusals meanwhile are expected."""
        while time.perf_counter() - self.started < limit_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}; see {self.log}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                connection.close()
                if answer.status == 200:
                    self.start_s = time.perf_counter() - self.started
                    return
                if answer.status in (400, 401, 404, 405, 422):
                    raise RuntimeError(f"{self.name} refused the request with {answer.status}; see {self.log}")
            time.sleep(0.02)
        raise TimeoutError(f"{self.name} gave no embedding within {limit_s:.0f} s; see {self.log}")

    def close(self) -> None:
        """End the server: asked first, then killed with all it started."""
        resume(self.process.pid)
        signal_group(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()


def pause(pid: int) -> None:
    """Stop a process group, so that its threads cost the others nothing."""
    signal_group(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let a paused process group go on."""
    signal_group(pid, signal.SIGCONT)


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group that this process leads, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def members(pid: int) -> list[Path]:
    """The `/proc` folders of the process group (a server and its children)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(folder.name)) == pid:
                found.append(folder)
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of the process group, shared pages counted once per process."""
    total = 0
    for folder in members(pid):
        with contextlib.suppress(OSError):
            total += int((folder / "statm").read_text().split()[1]) * PAGE_BYTES
    return total


def cpu_s(pid: int) -> float:
    """Processor seconds that the process group has used."""
    total = 0.0
    for folder in members(pid):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return total
