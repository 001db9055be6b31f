"""`serve --supervise`: two processes that live and die together."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.server import Server, refusal

from .running import FAKE, answers, embed, listens, lives, pending, running, served_by, until


@contextlib.contextmanager
def supervised(folder: Path, *flags: str, first: str = "") -> Iterator[Server]:
    """Run a supervised server; `first` is for the supervisor's process alone."""
    with running(folder, "--supervise", *flags, first=first) as server:
        assert served_by(server) != server.process.pid
        yield server


def test_a_killed_server_comes_back(tmp_path: Path) -> None:
    """A child that is killed is started again, after a pause that grows with each death."""
    with supervised(tmp_path) as server:
        pauses = []
        for life in (2, 3):
            killed_s = time.monotonic()
            os.kill(served_by(server), signal.SIGKILL)
            until(lambda life=life: lives(server) == life, 15, "the server is started again")
            pauses.append(time.monotonic() - killed_s)
            server.wait(15)
            assert answers(embed(server, "again"), "again")
        assert pauses[0] >= 0.5
        assert pauses[1] >= 1
        assert "started again in 0.5 s" in server.output()
        assert "started again in 1 s" in server.output()


IMPATIENT = "import embedway.cli.supervise as supervise; supervise.SILENCE_S = 2"


def test_a_frozen_server_is_replaced(tmp_path: Path) -> None:
    """A child that gives no sign of life, though its process is there, is killed and started again."""
    with supervised(tmp_path, first=IMPATIENT) as server:
        os.kill(served_by(server), signal.SIGSTOP)
        until(lambda: lives(server) == 2 and server.ready(), 15, "the server is back")
        assert "no sign of life" in server.output()
        assert answers(embed(server, "again"), "again")


def test_sigterm_with_a_frozen_server(tmp_path: Path) -> None:
    """A frozen child cannot keep the supervisor from ending."""
    with supervised(tmp_path, "--drain-timeout-s", "1", first=IMPATIENT) as server:
        os.kill(served_by(server), signal.SIGSTOP)
        assert server.stop(8) == 0
        assert not listens(server)


def test_sigterm_stops_both(tmp_path: Path) -> None:
    """SIGTERM to the supervisor lets the child answer what is in flight; then both are gone, with status 0."""
    with supervised(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        call = pool.submit(embed, server, "!sleep:1")
        until(lambda: pending(server) == 1, 5, "the call is in flight")
        assert server.stop() == 0
        assert answers(call.result(5), "!sleep:1")
        assert not listens(server)
        assert lives(server) == 1


def test_sigint_stops_both(tmp_path: Path) -> None:
    """Ctrl-C does the same as SIGTERM."""
    with supervised(tmp_path) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert not listens(server)


def test_sigterm_during_the_pause(tmp_path: Path) -> None:
    """A supervisor that waits to start the child again ends at once when it is told to, and starts none."""
    with supervised(tmp_path) as server:
        os.kill(served_by(server), signal.SIGKILL)
        until(lambda: "started again" in server.output(), 5, "the supervisor has noticed")
        assert server.stop(5) == 0
        assert lives(server) == 1


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """When the supervisor itself is killed, the child notices, drains and ends: nobody keeps the port."""
    with supervised(tmp_path) as server:
        server.process.kill()
        server.process.wait(5)
        until(lambda: not listens(server), 5, "the child is gone")


def test_a_wrong_configuration_is_not_tried_again(tmp_path: Path) -> None:
    """What a restart would not change ends the supervisor too, with the sentence that says why."""
    said = refusal(tmp_path, "--supervise", "--host", "0.0.0.0", *FAKE)
    assert "--no-auth" in said
    assert "started again" not in said
