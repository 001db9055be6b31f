"""The curl commands and Python examples of the guides run as they stand; only the address is another."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.server import Server
from tests.wire.commands import run_words

from .conftest import run_client

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PAGES = ["outputs.md", "ranking.md"]
ADDRESS = "http://127.0.0.1:8000"


def commands(page: str) -> list[str]:
    """The indented blocks that begin with curl."""
    text = (GUIDES / page).read_text(encoding="utf-8")
    return [textwrap.dedent(block) for block in re.findall(r"(?<=\n\n) {4}curl .*\n(?: {4}.*\n)*", text)]


def programs(page: str) -> list[str]:
    """The Python blocks."""
    return re.findall(r"^```python\n(.*?)^```", (GUIDES / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def ask(command: str, server: Server) -> Any:
    """Run a command and return the JSON that it prints."""
    return run_words(shlex.split(command.replace(ADDRESS, server.url).replace("\\\n", " ")), server)


@pytest.mark.parametrize("page", PAGES)
def test_there_are_examples(page: str) -> None:
    """The tests below find them."""
    assert commands(page)
    assert programs(page)


@pytest.mark.parametrize("command", [command for page in PAGES for command in commands(page)])
def test_commands(command: str, lone: Server) -> None:
    """Each is answered."""
    answer = ask(command, lone)
    assert {"data", "results", "embeddings"} & set(answer), answer


def test_the_outputs_of_the_guide(lone: Server) -> None:
    """What the page says stands in the replies."""
    several, cohere, jina = (ask(command, lone) for command in commands("outputs.md"))
    assert {"embedding", "sparse_embedding", "token_embeddings"} <= set(several["data"][0])
    assert list(cohere["embeddings"]) == ["int8", "ubinary"]
    assert list(jina["data"][0]["embedding"]) == ["float", "binary"]


@pytest.mark.parametrize("program", [program for page in PAGES for program in programs(page)])
def test_programs(program: str, lone: Server) -> None:
    """Each runs with the client that it imports, and prints something."""
    found = re.search(r"^(?:import|from) (\w+)", program, re.MULTILINE)
    assert found
    printed = run_client(found[1], "-c", program.replace(ADDRESS, lone.url))
    assert all(json.loads(word) is not None for word in printed.split(maxsplit=1))
