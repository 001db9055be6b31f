"""The progress bar: for people at a terminal, and nowhere else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pytest

from .command import FAKE, embed, environment


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """Run `embedway embed` with a terminal for its standard error; return what the output and the terminal showed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedway", "embed", *FAKE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=theirs,
            env=environment({"TERM": "xterm"}),
        )
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        assert process.wait(30) == 0
        output.seek(0)
        return output.read().decode(), shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 10_000)
    except OSError:  # Linux's word for a terminal whose other side is closed
        return b""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 600 texts: more than one chunk."""
    path = tmp_path_factory.mktemp("progress") / "in.txt"
    path.write_text("".join(f"text {number}\n" for number in range(600)))
    return path


def test_shown_on_a_terminal(file: Path) -> None:
    """On a terminal the bar counts the texts up to all of them, and the output stays clean JSON lines."""
    out, shown = on_a_terminal("--input", str(file))
    assert [json.loads(line)["index"] for line in out.splitlines()] == list(range(600))
    assert "600/600" in shown
    assert "100%" in shown
    assert "text/s" in shown


def test_not_shown_when_told_so(file: Path) -> None:
    """--no-progress keeps a terminal empty."""
    out, shown = on_a_terminal("--input", str(file), "--no-progress")
    assert len(out.splitlines()) == 600
    assert shown == ""


def test_not_shown_in_a_log(file: Path) -> None:
    """Without a terminal there is no bar, unless --progress asks for it."""
    assert embed("--input", file).err == ""
    assert "600/600" in embed("--input", file, "--progress").err
