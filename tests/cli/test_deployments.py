"""`embedway deployments` and `embedway audit`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .command import Ended, run

CONFIG = """
[[model]]
name = "m"
source = "fake:8"

[[deployment]]
id = "declared"
model = "m"
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A database of the test's own, and a configuration with one deployment."""
    (tmp_path / "embedway.toml").write_text(CONFIG, encoding="utf-8")
    return {"XDG_DATA_HOME": str(tmp_path), "EMBEDWAY_CONFIG": str(tmp_path / "embedway.toml")}


def deployments(env: dict[str, str], *arguments: str) -> Ended:
    return run("deployments", *arguments, env=env)


def test_a_deployment_is_made_listed_and_removed(env: dict[str, str], tmp_path: Path) -> None:
    """Its token is shown once, and is in no file; those of the configuration are listed first."""
    made = deployments(env, "create", "ours", "--model", "m", "--task", "rerank", "--description", "Ours", "--json")
    [new] = made.rows()
    assert (new["id"], made.err) == ("ours", "")
    assert re.fullmatch(r"DT-\w{40}", new["token"])
    declared, ours = deployments(env, "list", "--json").rows()
    assert (declared["id"], declared["origin"], declared["state"]) == ("declared", "configuration", "running")
    assert (ours["id"], ours["task"], ours["workspace"], ours["description"]) == ("ours", "rerank", "default", "Ours")
    assert not any(new["token"].encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert deployments(env, "cease", "ours").out == "The deployment ours is ceased.\n"
    assert deployments(env, "list", "--json", "--workspace", "default").rows()[-1]["state"] == "ceased"
    assert deployments(env, "resume", "ours", "--json").rows() == [{"id": "ours", "state": "running"}]
    assert deployments(env, "remove", "ours", "--json").rows() == [{"id": "ours", "state": "removed"}]
    assert [row["id"] for row in deployments(env, "list", "--json").rows()] == ["declared"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "declared", "--model", "m"], "configuration"),
        (["cease", "declared"], "configuration"),
        (["remove", "declared"], "configuration"),
        (["create", "a b", "--model", "m"], "A-Z"),
        (["cease", "nothing"], "nothing"),
        (["remove", "nothing", "--workspace", "shop"], "shop"),
    ],
)
def test_mistakes_are_one_sentence(env: dict[str, str], arguments: list[str], words: str) -> None:
    """That says what is wrong."""
    assert words in deployments(env, *arguments).sentence()


def test_a_name_is_taken_once(env: dict[str, str]) -> None:
    """In whatever workspace."""
    assert deployments(env, "create", "ours", "--model", "m").status == 0
    assert "already" in deployments(env, "create", "ours", "--model", "m", "--workspace", "shop").sentence()


def test_the_audit_is_read(env: dict[str, str]) -> None:
    """The oldest first, of one thing, of the last time, the newest of them."""
    deployments(env, "create", "one", "--model", "m")
    deployments(env, "create", "two", "--model", "m")
    deployments(env, "cease", "one")
    rows = run("audit", "--json", env=env).rows()
    assert [row["action"] for row in rows] == ["CreateDeployment", "CreateDeployment", "CeaseDeployment"]
    assert rows[0]["subject"] == "workspace/default/deployment/one"
    assert rows[0]["detail"] == {"model": "m", "running": True, "task": "embedding"}
    assert all(row["who"].startswith("cli") for row in rows)
    assert [row["action"] for row in run("audit", "--json", "--subject", "/one", "--limit", "1", env=env).rows()] == [
        "CeaseDeployment"
    ]
    assert run("audit", "--json", "--subject", "o%e", env=env).rows() == []
    assert len(run("audit", "--json", "--since", "1h", env=env).rows()) == 3
    assert run("audit", env=env).out.splitlines()[0].split() == [
        *("at", "who", "action", "subject", "request_id", "detail")
    ]
    assert "--since" in run("audit", "--since", "yesterday", env=env).sentence()
