"""What the parity tests share: the reference made afresh, and the figures printed at the end of the run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

# Before any test module imports the libraries: nothing may be fetched, and no progress bars.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

pytest.register_assert_rewrite("tests.parity.ours", "tests.parity.tiny")

# An ordinary test run has no reference libraries, and must not trip over this folder.
if find_spec("sentence_transformers") is None:
    collect_ignore_glob = ["test_*.py"]

_FIGURES = pytest.StashKey[list[str]]()
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def fresh_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the reference again, in a process of its own, and return its file."""
    path = tmp_path_factory.mktemp("reference") / "fresh.npz"
    command = [sys.executable, "-m", "tests.reference.make", "--out", str(path)]
    subprocess.run(command, check=True, cwd=_ROOT)
    return path


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Return a function that notes a figure for the end of the run."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda figure: figures.append(f"{request.node.name}: {figure}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash.get(_FIGURES, [])
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.write_line(figure)
