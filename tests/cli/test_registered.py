"""`embedway models add|list|show|test|remove` and `embedway instances`, on a database and a service of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.services import Misbehaving, misbehaving
from tests.wire.registry import SAMPLE, SECRET, definition

from .command import Ended, run

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def service() -> Iterator[Misbehaving]:
    with misbehaving() as one:
        yield one


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `embedway` with a data folder of its own; private addresses are allowed."""
    env = {"XDG_DATA_HOME": str(tmp_path_factory.mktemp("data")), "EMBEDWAY_ALLOW_PRIVATE_URLS": "1"}
    return lambda *words: run(*words, env=env)


def by_options(url: str, *more: str) -> tuple[str, ...]:
    """The definition of `tests.wire.registry`, in options."""
    return (
        *("--url", url, "--dimension", "2", "--body", '{"input": ["%{input}"], "input_type": "%{input_type}"}'),
        *("--response", "$.result.embeddings[*].embedding", "--header", f"Authorization: Bearer {SECRET}"),
        *("--build", "input_type=document", "--search", "input_type=query", *more),
    )


def test_from_options(command: Run, service: Misbehaving) -> None:
    """Added, listed, shown, tested in both phases, removed."""
    added = command("models", "add", "mine", *by_options(service.url))
    assert (added.status, added.err) == (0, ""), added
    assert added.out.startswith("The model 'mine' is registered in the instance 'default': it answers (2 dimensions, ")
    heads, row = command("models", "list", "--registered").out.splitlines()
    assert heads.split() == [
        "instance",
        "name",
        "type",
        "status",
        "dimension",
        "latency_ms",
        "url",
        "updated",
        "problem",
    ]
    assert row.split()[:5] == ["default", "mine", "text_embedding", "ok", "2"]
    shown = command("models", "show", "mine")
    assert json.loads(shown.out) == json.loads(command("models", "show", "mine", "--json").out)
    assert SECRET not in shown.out
    assert json.loads(shown.out)["content"]["request"]["parameters"]["search"] == {"input_type": "query"}
    for phase, words in (("query", ()), ("document", ("--phase", "build"))):
        tested = command("models", "test", "mine", "--text", "four", *words)
        assert tested.status == 0
        assert tested.out.startswith(
            f"POST {service.url}: 200. A vector of 2 dimensions, beginning with 4.0000, 1.0000,"
        )
        assert service.asked[-1].json() == {"input": ["four"], "input_type": phase}
        assert service.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    details = json.loads(command("models", "test", "mine", "--json").out)
    assert (details["found"], details["request"]["headers"]["authorization"]) == (
        [[5.0, 1.0]],
        "Bearer OS-v0********6vvs",
    )
    assert command("models", "remove", "mine").out == "The model 'mine' of the instance 'default' is removed.\n"
    assert command("models", "list", "--registered", "--json").out.strip() == ""


def test_from_a_file(command: Run, service: Misbehaving, tmp_path: Path) -> None:
    """A definition, or the whole body of CreateModel; options replace its keys; a dry run stores nothing."""
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition("http://127.0.0.1:9/", unknown=1.0)), encoding="utf-8")
    tried = command("models", "add", "filed", "--file", file, "--url", service.url, "--dry-run")
    assert tried.out == "The model 'filed' could be registered; it answers.\n"
    failed = command("models", "add", "filed", "--file", file, "--dry-run").sentence()
    assert "127.0.0.1:9" in failed
    assert command("models", "list", "--registered").out.count("\n") == 1
    file.write_text(json.dumps({"name": "other", "content": SAMPLE}), encoding="utf-8")
    added = command("models", "add", "filed", "--file", file)
    assert added.status == 0
    assert "127.0.0.1:9" in added.out
    shown = json.loads(command("models", "show", "filed", "--json").out)
    assert (shown["status"], shown["content"]["response"]) == ("error", SAMPLE["response"])
    tested = command("models", "test", "filed")
    assert (tested.status, "no answer" in tested.out) == (1, True)
    assert command("models", "remove", "filed").status == 0


def test_instances(command: Run, service: Misbehaving) -> None:
    """Added once, listed with their models, removed when they are empty; the configuration's are its own."""
    assert command("instances", "add", "ha-cn-y").status == 0
    assert "exists already" in command("instances", "add", "ha-cn-y").sentence()
    assert "configuration" in command("instances", "add", "default").sentence()
    assert "A-Z" in command("instances", "add", "a/b").sentence()
    assert command("models", "add", "m", "--instance", "ha-cn-y", *by_options(service.url)).status == 0
    rows = command("instances", "list", "--json").rows()
    assert [(row["id"], row["models"], row["origin"]) for row in rows] == [
        ("default", 0, "configuration"),
        ("ha-cn-y", 1, "database"),
    ]
    assert command("models", "list", "--registered", "--instance", "default", "--json").out.strip() == ""
    assert "1 models" in command("instances", "remove", "ha-cn-y").sentence()
    assert command("models", "remove", "m", "--instance", "ha-cn-y").status == 0
    assert command("instances", "remove", "ha-cn-y").status == 0
    assert "no instance" in command("instances", "remove", "ha-cn-y").sentence()
    assert "configuration" in command("instances", "remove", "default").sentence()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("models", "show", "nothing"), "no model 'nothing'"),
        (("models", "remove", "nothing"), "no model 'nothing'"),
        (("models", "test", "nothing", "--instance", "nowhere"), "instance 'nowhere' does not exist"),
        (("models", "add", "all-MiniLM-L6-v2", *by_options("http://127.0.0.1:9/")), "belongs to the configuration"),
        (("models", "add", "m", *by_options("http://127.0.0.1:9/", "--header", "nothing")), "--header"),
        (("models", "add", "m", *by_options("ftp://127.0.0.1/")), "URL"),
        (("models", "add", "m"), "url"),
    ],
)
def test_what_cannot_be_done(command: Run, words: tuple[str, ...], said: str) -> None:
    """One sentence, and nothing is stored."""
    assert said in command(*words).sentence()


def test_private_addresses(tmp_path: Path) -> None:
    """The command refuses them as the server does."""
    ended = run("models", "add", "m", *by_options("http://127.0.0.1:9/"), env={"XDG_DATA_HOME": str(tmp_path)})
    assert "--allow-private-urls" in ended.sentence()


def test_the_plain_command_lists(command: Run) -> None:
    """`embedway models`, with its options, is `embedway models list`."""
    for words in ((), ("--json",), ("--known",), ("--known", "--json")):
        assert command("models", *words) == command("models", "list", *words)
