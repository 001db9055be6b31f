"""One JSON object per line, to and from a child process: how the benchmark drives its load generator and libraries.

The child answers every line with one line: `{"ok": …}` or `{"error": …}`. The first comes unasked, when it is ready.
What libraries print goes to standard error and so to the child's log.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.paths import LOGS, REPOSITORY


class Child:
    """A running driver. `ready` is what it said first; `start_s` is how long that took from the process's start."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], limit_s: float = 180.0
    ) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log: Path = LOGS / f"{name}.txt"
        self.buffer = b""
        started = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=REPOSITORY,
                env=dict(environment),
                start_new_session=True,
            )
        try:
            self.ready = self.answer(limit_s)
        except BaseException:
            self.close()
            raise
        self.start_s = time.perf_counter() - started

    def ask(self, limit_s: float, **command: Any) -> Any:
        """Send one command and wait for its answer."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer(limit_s)

    def answer(self, limit_s: float) -> Any:
        """The next line of the child; an error there is raised here."""
        assert self.process.stdout
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"{self.name} did not answer within {limit_s:.0f} s; see {self.log}")
                read = os.read(descriptor, 1 << 20)
                if not read:
                    raise RuntimeError(f"{self.name} ended; see {self.log}")
                self.buffer += read
        line, _, self.buffer = self.buffer.partition(b"\n")
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(f"{self.name}: {reply['error']} (see {self.log})")
        return reply["ok"]

    def close(self) -> None:
        """End the child: its input is closed, then it is killed if it stays."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def serve(open_commands: Callable[[], tuple[Any, Mapping[str, Callable[..., Any]]]]) -> None:
    """The child's side: open (slow), say so, then answer commands `{"do": name, …arguments}` until the input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(**reply: Any) -> None:
        out.write(json.dumps(reply) + "\n")
        out.flush()

    try:
        ready, commands = open_commands()
    except Exception as error:
        traceback.print_exc()
        say(error=f"{type(error).__name__}: {error}")
        return
    say(ok=ready)
    for line in sys.stdin:
        arguments = json.loads(line)
        try:
            say(ok=commands[arguments.pop("do")](**arguments))
        except Exception as error:
            traceback.print_exc()
            say(error=f"{type(error).__name__}: {error}")
