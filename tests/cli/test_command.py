"""The command itself: its name, its version, its help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from embedway import __version__

from .command import launch, run

SCRIPT = Path(sys.executable).with_name("embedway")
COMMANDS = ["serve", "embed", "models"]


def test_version() -> None:
    """`--version` names the program and its version."""
    ended = run("--version")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.split() == ["embedway,", "version", __version__]


def test_installed_command() -> None:
    """The installed `embedway` and `python -m embedway` are the same command."""
    ended = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=30, check=True)
    as_module = launch("--help").out
    assert ended.stdout.splitlines()[1:] == as_module.splitlines()[1:]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str) -> None:
    """The help lists every command with a sentence, and says where settings come from."""
    out = run(flag).out
    for command in COMMANDS:
        assert any(line.split()[:1] == [command] and line.endswith(".") for line in out.splitlines()), command
    assert "EMBEDWAY_*" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str) -> None:
    """Each command explains itself and every flag of its own."""
    ended = run(command, "--help", env={"COLUMNS": "200"})
    assert ended.status == 0
    flags = [line for line in ended.out.splitlines() if line.lstrip().startswith("-")]
    assert flags
    assert "Usage:" in ended.out


def test_serve_help_is_quick_to_read_offline() -> None:
    """`serve --help` needs neither a model nor a readable configuration."""
    assert run("serve", "--help", env={"EMBEDWAY_PORT": "no", "EMBEDWAY_MODEL": "/no"}).status == 0


@pytest.mark.parametrize("arguments", [["serv"], ["serve", "--prot", "1"], ["serve", "extra"], ["models", "--prot"]])
def test_unknown_words(arguments: list[str]) -> None:
    """An unknown command, flag or argument is status 2, and named."""
    ended = run(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert any(word in ended.err.splitlines()[-1] for word in arguments[-2:])


@pytest.mark.parametrize(
    ("arguments", "env", "named"),
    [
        (["--port", "70000"], {}, "--port"),
        (["--port", "many"], {}, "--port"),
        ([], {"EMBEDWAY_PORT": "many"}, "EMBEDWAY_PORT"),
        ([], {"EMBEDWAY_SUPERVISE": "perhaps"}, "EMBEDWAY_SUPERVISE"),
        (["--hang-timeout-s", "0"], {}, "--hang-timeout-s"),
        (["--dtype", "int3"], {}, "--dtype"),
        (["--log-level", "loud"], {}, "--log-level"),
        (["--api-key-sha256", "abc"], {}, "api_key_sha256"),
    ],
)
def test_wrong_settings(arguments: list[str], env: dict[str, str], named: str) -> None:
    """A value that cannot be right is refused in one sentence that names the flag or the variable."""
    assert named in run("serve", *arguments, env=env).sentence()


def test_no_command() -> None:
    """Without a command the help is shown."""
    ended = run()
    assert "Commands:" in ended.out + ended.err
