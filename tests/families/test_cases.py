"""Every tiny model gives the vectors that its reference library gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import case

from .compare import check


@pytest.mark.parametrize("name", case.names())
def test_a_tiny_model_gives_the_references_answers(name: str, tmp_path: Path) -> None:
    """In fp32, each alone and forty in a batch."""
    check(case.load(name).write(tmp_path), case.answers(name))
