"""Where a setting comes from, seen from outside: default < file < environment < flag."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from embedway.configuration import NO_FLAGS
from embedway.settings import Settings
from tests.server import Server
from tests.wire.exchange import get, post

from .running import running

FILE = """
max_batch_items = 11
max_body_bytes = 1111

[[model]]
name = "from-the-file"
source = "fake:3"
"""
VARIABLES = {
    "EMBEDWAY_MAX_BATCH_ITEMS": "22",
    "EMBEDWAY_MAX_BODY_BYTES": "2222",
    "EMBEDWAY_MODEL": "from-the-environment=fake:4,second=fake:4",
}
FLAGS = [
    "--max-batch-items",
    "33",
    "--max-body-bytes",
    "3333",
    "--truncation",
    "error",
    "--model",
    "from-a-flag=fake:5",
]
FLAG = re.compile(r"^  (?:-h, )?(--[a-z0-9-]+)(?: / --[a-z0-9-]+)?(.*)$", re.MULTILINE)


def seen(server: Server) -> dict[str, object]:
    """Return what tells from outside how a server is set."""
    rows = get(server, "/v1/models").json()["data"]
    sizes = (1111, 2222, 3333)
    return {
        "models": [row["id"] for row in rows],
        "batch items": rows[0]["stats"]["batch_size"],
        "body bytes": [size for size in sizes if post(server, "/v1/embeddings", b" " * (size + 1)).status == 413],
    }


def test_default(tmp_path: Path) -> None:
    """Without file and variables, the defaults that the help states hold."""
    with running(tmp_path) as server:
        assert seen(server) == {"models": ["fake"], "batch items": 128, "body bytes": []}


def test_file(tmp_path: Path) -> None:
    """The file wins over the defaults."""
    wanted = {"models": ["from-the-file"], "batch items": 11, "body bytes": [1111, 2222, 3333]}
    with running(tmp_path, config=FILE) as server:
        assert seen(server) == wanted


def test_environment(tmp_path: Path) -> None:
    """The environment wins over the file; what it leaves open stays the file's. An empty variable says nothing."""
    models = ["from-the-environment", "second"]
    with running(tmp_path, config=FILE, env={**VARIABLES, "EMBEDWAY_MAX_BATCH_ITEMS": ""}) as server:
        assert seen(server) == {"models": models, "batch items": 11, "body bytes": [2222, 3333]}


def test_flags(tmp_path: Path) -> None:
    """Flags win over everything."""
    with running(tmp_path, *FLAGS, config=FILE, env=VARIABLES) as server:
        assert seen(server) == {"models": ["from-a-flag"], "batch items": 33, "body bytes": [3333]}


def test_file_named_by_the_environment(tmp_path: Path) -> None:
    """The path of the file may itself come from the environment."""
    file = tmp_path / "named.toml"
    file.write_text("max_batch_items = 44\n")
    with running(tmp_path, env={"EMBEDWAY_CONFIG": str(file)}) as server:
        assert seen(server)["batch items"] == 44


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    """The text of each flag in `serve --help`."""
    shown = subprocess.run(
        [sys.executable, "-m", "embedway", "serve", "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    parts = FLAG.split(shown[shown.index("Options:") :])
    return {parts[at]: " ".join((parts[at + 1] + parts[at + 2]).split()) for at in range(1, len(parts), 3)}


def test_every_flag_is_explained(blocks: dict[str, str]) -> None:
    """Each flag of `serve --help` has a sentence and names its EMBEDWAY_ variable; defaults stand beside it."""
    blocks = {flag: text for flag, text in blocks.items() if flag != "--help"}
    for flag, text in blocks.items():
        variable = "EMBEDWAY_" + flag.removeprefix("--").replace("-", "_").upper()
        assert re.search(rf"[a-z].*[.*] \[{variable}(; default \S+)?\]$", text), f"{flag}: {text}"


def test_every_setting_has_a_flag(blocks: dict[str, str]) -> None:
    """Every setting but tables, and secrets that must be readable, can be given as a flag; nothing else is one."""
    names = {field.name for field in msgspec.structs.fields(Settings)} - {*NO_FLAGS}
    assert blocks.keys() == {"--" + name.replace("_", "-") for name in names} | {"--config", "--help"}


def test_defaults_in_the_help(blocks: dict[str, str]) -> None:
    """What the help calls the default is the default."""
    for field in msgspec.structs.fields(Settings):
        if field.name != "deployment" and field.default not in (None, (), "", False, 0):
            assert f"default {field.default}]" in blocks["--" + field.name.replace("_", "-")]
