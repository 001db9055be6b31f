"""The guide to the registry, from its configuration to its last command: all of it runs, in the order of the page."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.cli.command import run
from tests.server import Server, serving
from tests.wire.commands import run_words

from .conftest import run_client

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "registry.md"
HERE, THERE = "127.0.0.1:8000", "127.0.0.1:8001"


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Each block that can be run, with the word that says how."""
    block = re.compile(r"^```(python)\n(.*?)^```|(?<=\n\n)((?: {4}[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
    for found in block.finditer(text):
        if found[1]:
            yield "python", found[2]
        elif found[3].strip().startswith("curl"):
            yield "curl", textwrap.dedent(found[3])
        else:
            yield from (("embedway", line) for line in textwrap.dedent(found[3]).splitlines())


def test_the_guide(lone: Server, tmp_path: Path) -> None:
    """The model is registered, answers, is read, forbidden, debugged and removed; all prints what the page says."""
    text = GUIDE.read_text(encoding="utf-8")
    config = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    config += '\n[[model]]\nname = "local"\nsource = "fake:8"\n'
    env = {"XDG_DATA_HOME": str(tmp_path), "EMBEDWAY_CONFIG": str(tmp_path / "embedway.toml")}
    said = []
    with serving(tmp_path, config=config) as server:
        text = text.replace(THERE, f"127.0.0.1:{lone.port}").replace(HERE, f"127.0.0.1:{server.port}")
        for kind, code in steps(text):
            if kind == "python":
                said.append(run_client("searchengine", "-c", code))
            elif kind == "curl":
                said.append(json.dumps(run_words(shlex.split(code.replace("\\\n", " ")), server)))
            elif "serve" not in code:
                ended = run(*shlex.split(code)[1:], env=env)
                assert (ended.status, ended.err) == (0, ""), (code, ended)
                said.append(ended.out)
    created, embedded, read, debugged, tested, shown, listed, *_, added, _, last = said
    assert list(json.loads(created)) == ["requestId"]
    assert embedded.count('"embedding": [') == 2
    assert read.splitlines() == ["ok 384 Bearer OS-th********rver", "1 forbidden"]
    assert '"problem": null' in debugged
    assert "A vector of 384 dimensions" in tested
    assert '"status":"forbidden"' in shown
    assert "far-minilm" in listed
    assert "it answers (384 dimensions" in added
    assert last == "The instance 'ha-cn-y' is removed.\n"
