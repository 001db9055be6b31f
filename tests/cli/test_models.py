"""`embedway models`: what is configured, where its files are, what it can do."""

from __future__ import annotations

from pathlib import Path

from .command import run

CONFIG = """
[[model]]
name = "minilm"
source = "all-MiniLM-L6-v2"
aliases = ["small", "m"]

[[model]]
name = "gone"
source = "./no/such/folder"

[[model]]
name = "empty"
source = "{empty}"
"""


def test_the_bundled_model() -> None:
    """Without a configuration the bundled model is listed, with its package, family, dimensions and limit."""
    ended = run("models")
    assert ended.status == 0
    assert ended.err == ""
    heads, row = ended.out.splitlines()
    assert heads.split()[0] == "name"
    assert row.split() == ["all-MiniLM-L6-v2", "-", "all-MiniLM-L6-v2", "package", "bert", "384", "256", "-", "-"]


def test_problems_are_listed(tmp_path: Path) -> None:
    """A folder that is missing or empty is listed with its problem; the others are not held up by it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "c.toml").write_text(CONFIG.format(empty=tmp_path / "empty"))
    ended = run("models", "--config", tmp_path / "c.toml", "--json")
    assert (ended.status, ended.err) == (0, "")
    good, gone, empty = ended.rows()
    assert (good["name"], good["aliases"], good["dimensions"], good["problem"]) == ("minilm", "small,m", 384, None)
    assert "no/such/folder" in gone["problem"]
    assert gone["dimensions"] is None
    assert str(tmp_path / "empty") in empty["problem"]
    table = run("models", "--config", tmp_path / "c.toml").out.splitlines()
    assert len(table) == 4
    assert gone["problem"] in table[2]


def test_columns_are_the_keys() -> None:
    """The table and the JSON show the same facts under the same names."""
    heads = run("models").out.splitlines()[0].split()
    assert list(run("models", "--json").rows()[0]) == heads


def test_the_fake_model() -> None:
    """The fake model needs no files and has no problem."""
    assert run("models", "--model", "f=fake:8", "--json").rows()[0]["problem"] is None


def test_names_that_clash() -> None:
    """What the server would refuse is refused here too."""
    assert "'a'" in run("models", "--model", "a=fake:8", "--model", "a=fake:4").sentence()
