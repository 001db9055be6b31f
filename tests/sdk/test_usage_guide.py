"""The guide of usage does what it says: its commands, after a server was used."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.command import run
from tests.server import serving
from tests.wire.commands import run_words
from tests.wire.exchange import post

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "usage.md"
KEYS = {"EMBEDWAY_API_KEY": "used-key", "EMBEDWAY_ADMIN_KEY": "admin-key"}


def lines(program: str) -> list[str]:
    """The page's commands that begin with this word, without their comments."""
    found = re.findall(rf"^ {{4}}({program} [^\n]*)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.partition(" # ")[0].strip() for line in found]


def test_the_guide(tmp_path: Path) -> None:
    """Each command shows the model that was asked; the sums over HTTP are those of the table."""
    with serving(tmp_path, "--model", "fake=fake:8", env=KEYS) as server:
        answer = post(server, "/v1/embeddings", {"model": "fake", "input": "abc"}, key="used-key")
        assert answer.status == 200
        (asked,) = lines("curl")
        words = shlex.split(asked.replace("$ADMIN_KEY", "admin-key").replace("http://127.0.0.1:8000", server.url))
        told = run_words(words, server)
        assert [(row["model"], row["tokens"]) for row in told["result"]] == [("fake", 3)]
        commands = lines("embedway")
        assert len(commands) == 4
        for command in commands:
            plain = command.partition(" > ")[0]
            ended = run(*shlex.split(plain)[1:], env={"XDG_DATA_HOME": str(server.log.parent)})
            assert ended.status == 0, ended
            assert "fake" in ended.out
