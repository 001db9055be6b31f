"""Training as a job: what goes wrong is told, and a process that is killed is followed by another."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from embedway.catalog import training
from embedway.catalog.task import Task
from embedway.catalog.trainer import Trainer
from embedway.catalog.training import Asked
from embedway.cli.trainee import worded
from embedway.jobs import queue
from embedway.jobs.job import UNDONE, Job
from embedway.jobs.log import read_lines
from embedway.jobs.worker import Worker
from embedway.models.reduction import read_reduction
from embedway.store.actor import Actor
from embedway.store.database import Database
from tests.reduce.artefacts import rows

from .training_server import find_model, rhythm

ACTOR = Actor("tester", "r")
WHERE = ("default", "mine")
VECTORS = "\n".join(json.dumps(row) for row in rows(400, 6).tolist())
QUICK = {"output_dimension": "2", "steps": "5"}
STALE_S = 1.0
PATIENCE_S = 30


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'embedway.db'}")
    yield opened
    opened.close()


def start(database: Database, parameters: Mapping[str, str]) -> str:
    """Make a training and ask for a run of it."""
    database.run_now(lambda one: training.create(one, ACTOR, *WHERE, Asked(parameters)))
    return database.run_now(lambda one: training.start(one, ACTOR, *WHERE))


def run_until_ended(database: Database, root: Path, job_id: str) -> Job:
    """Work in this process until the job has ended."""

    async def run() -> Job:
        worker = Worker(database, {training.KIND: Trainer(database, root, str(root), find_model)}, 1, rhythm(30))
        worker.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (found := await worker.find(job_id)).status in UNDONE:  # noqa: ASYNC110 -- the store tells
                    await asyncio.sleep(0.02)
                return found
        finally:
            await worker.stop()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"vectors": "[1, 2]\nnonsense\n[3, 4]", "output_dimension": "1"}, "There are 2 rows.*row 2: no JSON"),
        ({"vectors": VECTORS, "output_dimension": "7"}, "^output_dimension must be between 1 and 6"),
        ({"vectors": "[1, 2]\n" * 400, "output_dimension": "1"}, "All vectors are the same"),
        ({"data": "texts.jsonl", "output_dimension": "1"}, "name the model that embeds them with base_model"),
        ({"data": "wide.jsonl", "output_dimension": "1"}, "^The vectors of The data have 4001 numbers"),
        ({"data": "gone.jsonl", "output_dimension": "1"}, "data names no file"),
        ({"vectors": VECTORS, "base_model": "m", **QUICK}, "have 6 numbers, and those of 'fake:8' have 8"),
        ({"vectors": VECTORS, "base_model": "n", **QUICK}, "'n' does not exist"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    database: Database, tmp_path: Path, parameters: Mapping[str, str], said: str
) -> None:
    """In the words of the parameters, without a path of this machine; the run is not tried again, nothing is left."""
    (tmp_path / "texts.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "wide.jsonl").write_text(json.dumps({"embedding": [1] * 4001}))
    job = run_until_ended(database, tmp_path, start(database, parameters))
    assert (job.status, job.attempts) == ("failed", 1)
    assert re.search(said, job.error or ""), job.error
    assert str(tmp_path) not in (job.error or "")
    assert not list(tmp_path.glob("reductions/*/*/*"))
    assert not list(tmp_path.glob("reductions/*/*/.*"))


def test_an_artefact_that_cannot_be_written_names_no_path() -> None:
    """Callers know neither the command's flags nor this machine's folders."""
    task = Task(None, "/d/rows.jsonl", "text", 2, "mine", "/r/mine/job", "pca", False, 0, 1)
    said = worded("/r/mine/job cannot be written: No space left on device; choose it with --field.", task)
    assert said == "The artefact cannot be written: No space left on device; choose it with field."


def test_a_new_version_follows_the_last(database: Database, tmp_path: Path) -> None:
    """Equal parameters give equal maps, in a folder of their own; the log tells what was reached."""
    first = start(database, {"vectors": VECTORS, **QUICK})
    assert run_until_ended(database, tmp_path, first).status == "success"
    second = database.run_now(lambda one: training.start(one, ACTOR, *WHERE))
    assert run_until_ended(database, tmp_path, second).status == "success"
    row = database.run_now(lambda one: training.read(one, *WHERE))
    assert (row.trained, row.edition) == (second, 2)
    old, new = (read_reduction(training.folder_of(tmp_path, *WHERE, run)) for run in (first, second))
    assert old.digest == new.digest
    lines = [line.text for line in database.run_now(partial(read_lines, job_id=second))]
    assert any("400 rows, trained on" in line for line in lines)


def test_another_process_takes_over_what_a_killed_one_trained(database: Database, tmp_path: Path) -> None:
    """After kill -9 its training's process is gone too; the run ends once, and nothing unfinished is left."""
    job_id = start(database, {"vectors": VECTORS, **QUICK, "steps": "300"})
    first = spawn(database, tmp_path)
    wait(lambda: queue_progress(database, job_id) > 0.05)
    (trainee,) = children(first.pid)
    first.kill()
    first.wait()
    wait(lambda: not alive(trainee))
    second = spawn(database, tmp_path)
    try:
        wait(lambda: database.run_now(lambda one: queue.find(one, job_id)).status == "success")
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE_S) == 0
    row = database.run_now(lambda one: training.read(one, *WHERE))
    assert (row.trained, row.edition) == (job_id, 1)
    folder = training.folder_of(tmp_path, *WHERE)
    assert [one.name for one in folder.iterdir()] == [job_id]


def test_a_run_that_is_ceased_ends_its_process(database: Database, tmp_path: Path) -> None:
    """Within moments, and leaves nothing."""
    job_id = start(database, {"vectors": VECTORS, **QUICK, "steps": "20000"})
    server = spawn(database, tmp_path)
    try:
        wait(lambda: queue_progress(database, job_id) > 0.05)
        (trainee,) = children(server.pid)
        database.run_now(lambda one: training.cease(one, ACTOR, *WHERE))
        wait(lambda: not alive(trainee))
        wait(lambda: not list(training.folder_of(tmp_path, *WHERE).iterdir()))
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_S) == 0
    assert database.run_now(lambda one: queue.find(one, job_id)).status == "cancelled"


def queue_progress(database: Database, job_id: str) -> float:
    return database.run_now(lambda one: queue.find(one, job_id)).progress


def spawn(database: Database, root: Path) -> subprocess.Popen[bytes]:
    module = "tests.catalog.training_server"
    url = database.address.url.render_as_string(hide_password=False)
    return subprocess.Popen([sys.executable, "-m", module, url, str(root), str(STALE_S)])


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if int(line.split()[1]) == pid]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.03)
