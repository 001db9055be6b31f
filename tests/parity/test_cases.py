"""Every tiny model, built and asked anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.families.compare import check
from tests.tiny import case
from tests.tiny.builders import builders
from tests.tiny.make import build
from tests.tiny.reference import ANSWERS


@pytest.mark.parametrize("name", sorted(builders()))
def test_a_tiny_model_gives_the_references_answers(name: str, tmp_path: Path, report: Callable[[object], None]) -> None:
    """The committed case is still what the library makes, and Embedway agrees with what it answers now."""
    folder = tmp_path / "model"
    built = build(builders()[name], folder)
    committed = case.load(name)
    assert built.weights == committed.weights
    assert built.files["config.json"] == committed.files["config.json"]
    fresh, kept = ANSWERS[builders()[name].task](folder), case.answers(name)
    assert fresh.keys() == kept.keys()
    for key, value in kept.items():
        assert np.allclose(fresh[key], value, atol=1e-5), key
    report(check(folder, fresh))
