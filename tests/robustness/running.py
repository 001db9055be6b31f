"""Servers that are meant to come to harm, and what the tests ask of them.

Unlike `tests.server.serving`, a server started here may end by itself, and its log may hold the stacks of texts that
were told to fail. The model is the fake one: texts that begin with `!` are commands (`embedway.backends.fake`).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from embedway.backends.fake import FakeBackend
from embedway.types import ModelSpec, Text
from tests.server import STOP_S, Server, free_port
from tests.wire.exchange import Answer, get, post

FAKE = ("--model", "fake=fake:8")
OPENSEARCH = "/v3/openapi/workspaces/default/text-embedding/fake"
_STARTED = re.compile(r"Started server process \[(\d+)\]")


@contextlib.contextmanager
def running(
    folder: Path,
    *flags: str,
    config: str = "",
    env: Mapping[str, str] | None = None,
    kind: Callable[[subprocess.Popen[bytes], int, Path], Server] = Server,
    first: str = "",
) -> Iterator[Server]:
    """Run a ready server with the fake model for the length of a `with` block; it may end before the block does.

    `first` is Python that runs in the server's process before the command: to shorten what is no setting.
    """
    port, log = free_port(), folder / "server.log"
    program = ["-c", f"{first}; from embedway.cli.main import main; main()"] if first else ["-m", "embedway"]
    command = [sys.executable, *program, "serve", "--port", str(port), *flags]
    if config:
        (folder / "embedway.toml").write_text(config, encoding="utf-8")
        command += ["--config", str(folder / "embedway.toml")]
    else:
        command += FAKE
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDWAY_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=kept | {"PYTHONUNBUFFERED": "1", "XDG_DATA_HOME": str(folder)} | dict(env or {}),
        )
    server = kind(process, port, log)
    try:
        server.wait(30)
        yield server
    finally:
        _end(server)


def _end(server: Server) -> None:
    """End the server, and the child that a killed supervisor may have left behind."""
    orphaned = server.process.poll() == -signal.SIGKILL
    try:
        server.stop(STOP_S)
    finally:
        if orphaned and listens(server):
            os.kill(served_by(server), signal.SIGKILL)


def served_by(server: Server) -> int:
    """Return the id of the process that serves: the supervised child's, where there is one."""
    return int(_STARTED.findall(server.output())[-1])


def lives(server: Server) -> int:
    """Say how often the server process has been started."""
    return len(_STARTED.findall(server.output()))


def listens(server: Server) -> bool:
    """Say whether anyone accepts connections on the server's port."""
    try:
        server.open_socket(5).close()
    except OSError:
        return False
    return True


def until(claim: Callable[[], Any], within_s: float, what: str) -> float:
    """Wait until a claim holds and return the seconds it took; fail when it takes longer than `within_s`."""
    started_s = time.monotonic()
    while not claim():
        assert time.monotonic() - started_s < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - started_s


def embed(server: Server, *texts: str, **headers: str) -> Answer:
    """Ask for the vectors of texts as an OpenAI client does; names of headers are written with `_`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return post(server, "/v1/embeddings", {"model": "fake", "input": list(texts)}, headers=sent)


def answers(answer: Answer, *texts: str) -> bool:
    """Say whether an answer holds the vectors of these very texts, in their order."""
    assert answer.status == 200, answer.body[:300]
    rows = answer.json()["data"]
    assert [row["index"] for row in rows] == list(range(len(texts)))
    backend = FakeBackend(ModelSpec("fake", "fake:8"))
    wanted = [one.dense for one in backend.run([backend.prepare(Text(text)) for text in texts])]
    return np.array_equal(np.array([row["embedding"] for row in rows], np.float32), np.array(wanted))


def pending(server: Server) -> int:
    """Return how many texts are accepted and not yet answered."""
    return int(get(server, "/v1/models").json()["data"][0]["stats"]["results_pending"])


def metric(server: Server, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples of this very name that carry these labels."""
    families = text_string_to_metric_families(get(server, "/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())
