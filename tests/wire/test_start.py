"""Starting and stopping: what the server refuses to start with, and how it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.server import refusal, serving

from .configs import MODEL
from .exchange import KEY, get, post


def test_other_address_without_a_key(tmp_path: Path) -> None:
    """Without a key the server starts on loopback only; the message names both ways out."""
    said = refusal(tmp_path, "--host", "0.0.0.0", "--port", "0")
    assert "--api-key" in said
    assert "--no-auth" in said


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("prot = 1\n", "prot"),
        ("port = 'many'\n", "port"),
        ("= 1\n", "TOML"),
        ("[[model]]\nname = 'x'\nsource = '/no/such/folder'\n", "/no/such/folder"),
        ("[[deployment]]\nid = 'd'\nmodel = 'none'\ntoken = 't'\n", "none"),
        (f"[[model]]\nname = 'x'\nsource = '{MODEL}'\ndtype = 'int3'\n", "dtype"),
    ],
)
def test_wrong_configuration(tmp_path: Path, config: str, named: str) -> None:
    """A configuration that cannot be right stops the start with a sentence that names what is wrong."""
    assert named in refusal(tmp_path, config=config)


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    """A refused start does not print the keys that it was given."""
    said = refusal(tmp_path, "--api-key", KEY, config="prot = 1\n")
    assert KEY not in said


def test_environment_and_end(tmp_path: Path) -> None:
    """A key may come from the environment; SIGTERM ends the server; its log names neither key nor text."""
    with serving(tmp_path, env={"EMBEDWAY_API_KEY": KEY}) as server:
        assert get(server, "/v1/models").status == 401
        assert post(server, "/v1/embeddings", {"model": MODEL, "input": "a secret text"}, key=KEY).status == 200
        assert server.stop() in (0, -signal.SIGTERM)
    assert KEY not in server.output()
    assert "a secret text" not in server.output()
