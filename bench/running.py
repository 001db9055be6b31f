"""A rival that has been started: the same few verbs for servers and for libraries."""

from __future__ import annotations

import sys
from typing import Any

from bench.loads import Load
from bench.pipe import Child
from bench.processes import Server, clean_environment, cpu_s, free_port, pause, resident_bytes, resume
from bench.rivals import MODEL_NAME, Rival

DIMENSIONS = 384
ANSWER_LIMIT_S = 300.0


class Running:
    """One started rival. `caller` is the load generator, shared by all servers."""

    def __init__(self, rival: Rival, caller: Child, encoding_format: str) -> None:
        self.rival = rival
        self.server: Server | None = None
        self.child = caller
        if rival.over_http:
            port = free_port()
            self.server = Server(rival.name, rival.command(port), rival.environment or {}, port)
            try:
                self.server.await_first_embedding(rival.path, {"model": MODEL_NAME, "input": ["the first text"]})
            except BaseException:
                self.server.close()
                raise
            self.start_s, self.pid = self.server.start_s, self.server.process.pid
            self.target: dict[str, Any] = {
                "target": {
                    "port": port,
                    "path": rival.path,
                    "model": MODEL_NAME,
                    "dimensions": DIMENSIONS,
                    "encoding_format": encoding_format,
                }
            }
        else:
            self.child = Child(rival.name, rival.command(), clean_environment(rival.environment or {}))
            self.start_s, self.pid, self.target = self.child.start_s, self.child.process.pid, {}

    def measure(self, load: Load, window_s: float, serial: int, requests: int) -> dict[str, Any]:
        """Measure one window. `serial` numbers the texts, so that none is sent twice; `requests` is the fewest sent."""
        told = {
            "texts": load.texts,
            "per_request": load.per_request,
            "concurrency": load.concurrency,
            "window_s": window_s,
            "serial": serial,
            "requests": requests,
            "in_one_call": load.in_one_call,
        }
        limit_s = window_s + ANSWER_LIMIT_S
        answer: dict[str, Any] = self.child.ask(limit_s, do="measure", load=told, **self.target)
        return answer

    def embed(self, chosen: list[str]) -> list[list[float]]:
        """The vectors of these texts."""
        rows: list[list[float]] = self.child.ask(ANSWER_LIMIT_S, do="embed", chosen=chosen, **self.target)
        return rows

    def pause(self) -> None:
        """Stop it until `resume`."""
        pause(self.pid)

    def resume(self) -> None:
        """Let it go on."""
        resume(self.pid)

    def resident_bytes(self) -> int:
        """Its resident memory."""
        return resident_bytes(self.pid)

    def cpu_s(self) -> float:
        """Processor seconds it has used."""
        return cpu_s(self.pid)

    def close(self) -> None:
        """End it."""
        self.resume()
        if self.server:
            self.server.close()
        else:
            self.child.close()


def start_caller() -> Child:
    """Start the load generator (with the Python that runs the benchmark)."""
    return Child("load-http", [sys.executable, "-m", "bench.drivers.load_http"], clean_environment({}))
