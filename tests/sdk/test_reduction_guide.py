"""The guide on shorter vectors is followed word by word: train, report, serve, ask. Places and addresses change."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import launch
from tests.server import Server, serving
from tests.wire.commands import run_words

from .conftest import run_client
from .test_guides import ADDRESS, GUIDES, commands, programs

PAGE = "reduction.md"
WORDS = ("bread", "cat", "light", "stone", "river", "music", "paper", "winter", "engine", "garden", "coin", "doctor")


def examples() -> list[list[str]]:
    """The guide's commands of `embedway`."""
    found = re.findall(r"^ {4}embedway (.*)$", (GUIDES / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(one) for one in found]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the guide's commands were run, with a corpus, and few steps of training."""
    folder = tmp_path_factory.mktemp("guide")
    texts = [" ".join(three) for three in itertools.permutations(WORDS, 3)] + [
        " ".join(two) for two in itertools.permutations(WORDS, 2)
    ]
    texts += [f"a {one}" for one in texts[:100]]
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    train, report = examples()
    where = {
        "corpus.jsonl": folder / "corpus.jsonl",
        "my-model": folder / "my-model",
        "report.html": folder / "report.html",
    }
    told = launch(*train, "--data", where["corpus.jsonl"], "--output", where["my-model"], "--steps", "3")
    assert told.status == 0, told.err
    assert launch(*(where.get(word, word) for word in report)).status == 0
    return folder


@pytest.fixture(scope="module")
def following(place: Path) -> Iterator[Server]:
    """The server of the guide's configuration."""
    (block,) = re.findall(r"^```toml\n(.*?)^```", (GUIDES / PAGE).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    config = re.sub(r'^(reduction|path) = "my-model"', rf'\1 = "{place / "my-model"}"', block, flags=re.MULTILINE)
    with serving(place, config=config) as server:
        yield server


def test_the_page_is_there(place: Path) -> None:
    """The report that the guide asks for."""
    assert "<svg" in (place / "report.html").read_text(encoding="utf-8")


def test_the_guides_requests(following: Server) -> None:
    """64 numbers from the OpenAI route, 32 from the deployment, 32 of a vector that was brought."""
    openai, deployment, tuning = commands(PAGE)
    assert len(ask(openai, following)["data"][0]["embedding"]) == 64
    assert len(ask(deployment, following)["embeddings"][0]["embedding"]) == 32
    assert len(ask(tuning, following)["result"]["output"][0]) == 32


def ask(command: str, server: Server) -> dict[str, object]:
    """As a shell understands the command; it asks Python for a long vector."""
    said = subprocess.run(["bash", "-c", "printf '%s\\0' " + command], capture_output=True, text=True, check=True)
    words = said.stdout.replace(ADDRESS, server.url).split("\0")[:-1]
    return dict(run_words(words, server))


def test_the_guides_program(following: Server) -> None:
    """128 numbers if nothing is asked for, and 64."""
    program, _ = programs(PAGE)
    assert run_client("openai", "-c", program.replace(ADDRESS, following.url)).split() == ["128", "64"]


def test_the_guides_training(place: Path, tmp_path: Path) -> None:
    """The platform's client trains on a file below the folder for data; few steps."""
    _, program = programs(PAGE)
    env = {"EMBEDWAY_ACCESS_KEYS": "my-id:my-secret", "EMBEDWAY_TUNING_DATA_DIR": str(place)}
    with serving(tmp_path, env=env) as server:
        quick = program.replace('"output_dimension": "128"', '"output_dimension": "128", "steps": "3"')
        said = run_client("control", "-c", quick.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}"))
    assert said.split() == ["success"]
