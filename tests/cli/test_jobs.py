"""`embedway jobs`: what a server's background has done, and ending it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from embedway.jobs import queue
from embedway.jobs.job import Job
from embedway.jobs.log import write_lines
from embedway.store.database import Database

from .command import run

KIND = "count-sheep"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'embedway.db'}"


@pytest.fixture
def ids(url: str) -> list[str]:
    """Three jobs: one done, one failed for good, one that waits in another workspace."""
    database = Database(url)

    def claim() -> Job:
        job = database.run_now(partial(queue.claim, kinds=[KIND], claimant="me"))
        assert job is not None
        return job

    made = [
        database.run_now(partial(queue.add, kind=KIND, namespace=name, payload={"image": "x"}))
        for name in ("default", "default", "mine")
    ]
    done, failed = claim(), claim()
    database.run_now(partial(write_lines, job_id=done.id, lines=["one sheep", "two sheep"]))
    database.run_now(partial(queue.finish, job=done, result={"sheep": "zwölf"}))
    database.run_now(partial(queue.fail, job=failed, error="They ran away.", retry_in_s=None))
    database.close()
    return made


@pytest.mark.parametrize(
    "command", [("jobs", "list"), ("usage",), ("models", "list", "--registered"), ("keys", "list"), ("audit",)]
)
def test_a_list_without_rows_is_no_line_at_all(url: str, command: tuple[str, ...]) -> None:
    """A program that reads one JSON object a line would stumble over an empty one."""
    ended = run(*command, "--database-url", url, "--json")
    assert (ended.status, ended.out) == (0, ""), ended


def test_list(url: str, ids: list[str]) -> None:
    """The newest first, of one workspace or status where asked; never what was sent."""
    rows = run("jobs", "list", "--database-url", url, "--json").rows()
    assert [row["id"] for row in rows] == ids[::-1]
    waiting, failed, done = rows
    assert (waiting["workspace"], waiting["status"], waiting["attempts"]) == ("mine", "pending", "0/3")
    assert (failed["status"], failed["error"]) == ("failed", "They ran away.")
    assert (done["status"], done["progress"]) == ("success", 1.0)
    assert [row["id"] for row in run("jobs", "list", "--database-url", url, "--json", "--status", "failed").rows()] == [
        ids[1]
    ]
    assert len(run("jobs", "list", "--database-url", url, "--json", "--workspace", "default").rows()) == 2
    assert len(run("jobs", "list", "--database-url", url, "--json", "--most", "1").rows()) == 1
    heads, *lines = run("jobs", "list", "--database-url", url).out.splitlines()
    assert heads.split() == list(rows[0])
    assert len(lines) == 3


def test_show(url: str, ids: list[str]) -> None:
    """The result and the log; both on the terminal and for a program."""
    (shown,) = run("jobs", "show", ids[0], "--database-url", url, "--json").rows()
    assert (shown["kind"], shown["result"]) == (KIND, {"sheep": "zwölf"})
    assert [line["line"] for line in shown["log"]] == ["one sheep", "two sheep"]
    printed = run("jobs", "show", ids[0], "--database-url", url).out
    assert '{"sheep": "zwölf"}' in printed
    assert printed.splitlines()[-1].endswith("  two sheep")


def test_cancel(url: str, ids: list[str]) -> None:
    """A job that waits ends; one that has ended, or never was, is an error."""
    assert run("jobs", "cancel", ids[2], "--database-url", url).out == f"The job {ids[2]} is cancelled.\n"
    (shown,) = run("jobs", "show", ids[2], "--database-url", url, "--json").rows()
    assert (shown["status"], shown["error"]) == ("cancelled", "It was cancelled.")
    assert "has ended already: cancelled" in run("jobs", "cancel", ids[2], "--database-url", url).sentence()
    assert "does not exist" in run("jobs", "cancel", "nothing", "--database-url", url).sentence()
    assert "does not exist" in run("jobs", "show", "nothing", "--database-url", url).sentence()
