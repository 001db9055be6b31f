"""`embedway pull` from a hub, and `embedway models --known`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, write_model

from .command import run

QWEN = "Qwen/Qwen3-Embedding-0.6B"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


def pull(hub: Hub, home: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's library reads its settings when it is imported."""
    command = [sys.executable, "-m", "embedway", "pull", *names]
    return subprocess.run(command, env=hub.environment(home), capture_output=True, text=True, timeout=60, check=False)


def test_a_model_is_fetched_once(hub: Hub, tmp_path: Path) -> None:
    """The second time it is there, and the hub need not be."""
    hub.add("org/tiny", write_model(tmp_path / "tiny"))
    first = pull(hub, tmp_path / "home", "org/tiny")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("org/tiny: bert, 8 dimensions, 32 tokens, revision ")
    folder = Path(first.stdout.strip().rpartition(", ")[2])
    assert (folder / "model.safetensors").is_file()
    assert pull(hub, tmp_path / "home", "org/tiny").stdout == first.stdout


def test_a_service_id_stands_for_its_weights(hub: Hub, tmp_path: Path) -> None:
    """They are fetched from the repository that is believed to be behind it."""
    hub.add(QWEN, write_model(tmp_path / "tiny"))
    done = pull(hub, tmp_path / "home", "ops-qwen3-embedding-0.6b")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ops-qwen3-embedding-0.6b: bert")
    assert "Qwen3-Embedding-0.6B" in done.stdout


def test_a_download_that_was_cut_off_goes_on(hub: Hub, tmp_path: Path) -> None:
    """The connection ends within the weights: the rest comes, and the file is whole."""
    tiny = write_model(tmp_path / "tiny")
    repository = hub.add("org/tiny", tiny)
    repository.cut["model.safetensors"] = 100
    done = pull(hub, tmp_path / "home", "org/tiny")
    if done.returncode:  # the library gave up: the second call goes on
        done = pull(hub, tmp_path / "home", "org/tiny")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().rpartition(", ")[2])
    assert (folder / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_weights_that_arrive_otherwise(hub: Hub, tmp_path: Path) -> None:
    """Another digest than the hub gives: refused, thrown away, and fetched anew the next time."""
    repository = hub.add("org/tiny", write_model(tmp_path / "tiny"))
    repository.digests["model.safetensors"] = "0" * 64
    done = pull(hub, tmp_path / "home", "org/tiny")
    assert done.returncode == 1
    assert "another SHA-256" in done.stderr
    del repository.digests["model.safetensors"]
    assert pull(hub, tmp_path / "home", "org/tiny").returncode == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("org/none", "the hub has no such model"),
        ("ops-text-embedding-001", "No weights of 'ops-text-embedding-001' are public"),
    ],
)
def test_what_cannot_be_had(name: str, said: str, hub: Hub, tmp_path: Path) -> None:
    """One sentence and status 1."""
    done = pull(hub, tmp_path / "home", name)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_known() -> None:
    """Every service id with what is believed to be behind it, and the bundled model, which is here."""
    rows = {row["name"]: row for row in run("models", "--known", "--json").rows()}
    assert rows["ops-qwen3-embedding-0.6b"]["weights"] == QWEN
    assert rows["ops-qwen3-embedding-0.6b"]["certainty"] == "inferred"
    assert rows["ops-text-reranker-001"]["task"] == "rerank"
    assert rows["all-MiniLM-L6-v2"]["local"] is True
    table = run("models", "--known").out.splitlines()
    assert len(table) == len(rows) + 1
    assert table[0].split() == [
        "name",
        "task",
        "languages",
        "dimensions",
        "max_tokens",
        "weights",
        "certainty",
        "local",
    ]
