"""The guide of keys, workspaces and deployments does what it says: its commands and programs, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Ended, run
from tests.server import Server, serving
from tests.wire.commands import run_words

from .conftest import run_client

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "keys.md"
ADDRESS = "127.0.0.1:8000"
EXAMPLE = "key-0123456789ab"
ENV = {"EMBEDWAY_ACCESS_KEYS": "my-id:my-secret"}


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the guide is about."""
    with serving(tmp_path_factory.mktemp("guided"), env=ENV) as server:
        yield server


def blocks() -> list[tuple[str, str]]:
    """The page's commands and programs in their order: `sh` or `python`, and the text."""
    pattern = re.compile(
        r"^```python\n(.*?)^```|(?<=\n)((?: {4}(?:embedway|curl) [^\n]*\n)+)", re.MULTILINE | re.DOTALL
    )
    found = pattern.findall(PAGE.read_text(encoding="utf-8"))
    return [("python", program) if program else ("sh", textwrap.dedent(lines)) for program, lines in found]


class Reader:
    """Does what the page says, and puts what was printed where the page has a placeholder."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.known: dict[str, str] = {}
        self.outputs: list[str] = []
        self._env = {"XDG_DATA_HOME": str(server.log.parent), **ENV}

    def follow(self, kind: str, text: str) -> None:
        text = text.replace(ADDRESS, f"127.0.0.1:{self.server.port}")
        if kind == "python":
            self.outputs.append(run_client("control", "-c", text))
            return
        for line in text.splitlines():
            self._command(line)

    def _command(self, line: str) -> None:
        for name, value in self.known.items():
            line = line.replace(name, value)
        words = shlex.split(line)
        if words[0] == "curl":
            self._answered(words)
            return
        ended = run(*words[1:], env=self._env)
        assert ended.status == 0, ended
        self._learn(line, ended)

    def _answered(self, words: list[str]) -> None:
        """The server knows of a new key or deployment within a second."""
        until_s = time.monotonic() + 5
        while "embedding" not in str(answer := run_words(words, self.server)):
            assert time.monotonic() < until_s, answer
            time.sleep(0.1)
        self.outputs.append(str(answer))

    def _learn(self, line: str, ended: Ended) -> None:
        self.outputs.append(ended.out)
        printed = dict(re.findall(r"^(\w+): +(\S+)$", ended.out, re.MULTILINE))
        if "key" in printed and "$KEY" not in self.known:
            self.known["$KEY"] = printed["key"]
        if "token" in printed:
            self.known["$TOKEN"] = printed["token"]
        if "--expires-in" in line:
            self.known[EXAMPLE] = printed["id"]


def test_the_guide(guided: Server) -> None:
    """Every block in its order, but that the deployment is called before it is ceased."""
    found = blocks()
    assert [kind for kind, _ in found].count("python") == 2
    management = next(place for place, (_, text) in enumerate(found) if "deployments cease" in text)
    create, rest = found[management][1].split("\n", 1)
    call = next(one for one in found if "reading-room/predict" in one[1])
    found[management : management + 1] = [("sh", create), call, ("sh", rest)]
    last = len(found) - 1 - [text for _, text in reversed(found)].index(call[1])
    del found[last]
    reader = Reader(guided)
    for kind, text in found:
        reader.follow(kind, text)
    everything = "".join(reader.outputs)
    assert re.search(r"OS-\w\w\*{8}\w{4}", everything), "lists are masked"
    assert re.search(r"^DT-\w{40}$", everything, re.MULTILINE), "the minted token is shown"
    assert "RevokeApiKey" in everything


def test_what_the_commands_print_beside(guided: Server) -> None:
    """The reminder is no part of what a script reads."""
    command = [sys.executable, "-m", "embedway", "keys", "create", "--json", "--note", "script"]
    env = {"XDG_DATA_HOME": str(guided.log.parent), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env)
    assert ended.stdout.startswith("{")
    assert ended.stderr == ""
