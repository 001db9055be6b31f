"""SIGHUP: the models of a running server become those of the changed file, and no request notices."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import Server
from tests.wire.exchange import get, post

from .running import answers, embed, lives, metric, running, served_by, until

FAKE = '[[model]]\nname = "fake"\nsource = "fake:8"\n'
OTHER = '[[model]]\nname = "other"\nsource = "fake:12"\n'
DEPLOYMENT = '[[deployment]]\nid = "d"\nmodel = "fake"\n'


def renew(server: Server, folder: Path, config: str) -> str:
    """Change the file, send the signal, and return the line that the server logs of it."""
    (folder / "embedway.toml").write_text(config, encoding="utf-8")
    before = server.output().count("was read anew")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.output().count("was read anew") > before, 20, "the configuration is read anew")
    return next(line for line in reversed(server.output().splitlines()) if "was read anew" in line)


def names(server: Server) -> list[str]:
    return [row["id"] for row in get(server, "/v1/models").json()["data"]]


@contextmanager
def asking(server: Server) -> Iterator[None]:
    """Ask for vectors without pause meanwhile; every answer must be right."""
    over, wrong, count = threading.Event(), list[str](), [0]

    def ask() -> None:
        while not over.is_set():
            answer = embed(server, f"text {count[0]}")
            if answer.status != 200 or not answers(answer, f"text {count[0]}"):
                wrong.append(f"{answer.status} {answer.body[:200]!r}")
            count[0] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
    assert wrong == []
    assert count[0] > 5


def test_models_follow_the_file(tmp_path: Path) -> None:
    """A model comes, changes its alias, is swapped, and goes; the other one answers all the while."""
    with running(tmp_path, config=FAKE) as server, asking(server):
        assert "loaded other" in renew(server, tmp_path, FAKE + OTHER)
        assert names(server) == ["fake", "other"]
        assert "changed other" in renew(server, tmp_path, FAKE + OTHER + 'aliases = ["o"]\n')
        assert names(server) == ["fake", "other", "o"]
        assert "swapped other" in renew(server, tmp_path, FAKE + OTHER.replace("12", "16"))
        reply = post(server, "/v1/embeddings", {"model": "other", "input": "text"})
        assert len(reply.json()["data"][0]["embedding"]) == 16
        assert "nothing changed" in renew(server, tmp_path, FAKE + OTHER.replace("12", "16"))
        assert "unloaded other" in renew(server, tmp_path, FAKE)
        assert post(server, "/v1/embeddings", {"model": "other", "input": "text"}).status == 404
        assert metric(server, "embedway_unloads_total", cause="asked", model="other") == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[[model]\n", "not valid TOML"),
        (FAKE + '[[model]]\nname = "fake"\nsource = "fake:9"\n', "given twice"),
        (FAKE + 'keep_alive_s = "soon"\n', "keep_alive_s"),
        (OTHER, "needs the model 'fake'"),
        ("port = 0\n" + FAKE + DEPLOYMENT + '[[model]]\nname = "bad"\nsource = "fake:none"\n', "failed bad"),
    ],
)
def test_a_file_at_fault_takes_no_model_away(config: str, said: str, tmp_path: Path) -> None:
    """The log says what is wrong, and the server serves on as it was."""
    with running(tmp_path, config=FAKE + DEPLOYMENT) as server:
        assert said in renew(server, tmp_path, config)
        assert "fake" in names(server)
        assert answers(embed(server, "text"), "text")


def test_what_is_no_model_needs_a_restart_and_the_log_says_so(tmp_path: Path) -> None:
    """A changed limit has no effect before the next start."""
    with running(tmp_path, config=FAKE) as server:
        renew(server, tmp_path, "max_batch_items = 7\n" + FAKE)
        until(lambda: "What is set for max_batch_items takes effect at the next start" in server.output(), 5, "said")


def test_the_supervisor_passes_the_signal_on(tmp_path: Path) -> None:
    """The child reads its file; it is not started anew."""
    with running(tmp_path, "--supervise", config=FAKE) as server:
        child = served_by(server)
        assert "loaded other" in renew(server, tmp_path, FAKE + OTHER)
        assert (served_by(server), lives(server)) == (child, 1)


def test_an_idle_model_is_ready_and_answers_late(tmp_path: Path) -> None:
    """/ready says idle and 200; the next request loads the model and gets its vectors."""
    with running(tmp_path, "--keep-alive-s", "0.2", config=FAKE) as server:

        def state() -> str:
            ready = get(server, "/ready")
            assert ready.status == 200
            return str(ready.json()["models"][0]["state"])

        until(lambda: state() == "idle", 10, "the model is idle")
        assert get(server, "/v1/models").json()["data"][0]["dimensions"] == 8
        assert answers(embed(server, "text"), "text")
        assert metric(server, "embedway_unloads_total", cause="idle", model="fake") >= 1
