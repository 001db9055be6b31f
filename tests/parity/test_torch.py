"""The torch backend, on the CPU, gives the vectors that the committed cases hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from embedway.backends.open import open_backend
from embedway.backends.torch import DeviceMemoryError, TorchBackend
from embedway.types import ModelSpec, Text
from tests.families.compare import check
from tests.tiny import case


@pytest.mark.parametrize("name", case.names())
def test_a_tiny_model_gives_the_references_answers(name: str, tmp_path: Path, report: Callable[[object], None]) -> None:
    """In fp32, each alone and forty in a batch."""
    report(check(case.load(name).write(tmp_path), case.answers(name), "torch"))


def test_a_batch_that_does_not_fit_says_so_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batcher can then try its halves."""
    folder = case.load("bert-mean").write(tmp_path)
    spec = ModelSpec("tiny", str(folder), backend="torch", device="cpu")
    with closing(open_backend(spec)) as backend:
        features = [backend.prepare(Text("one text"))]

        def full(self: TorchBackend, batch: Any) -> Any:
            raise torch.OutOfMemoryError("full")

        with monkeypatch.context() as patched:
            patched.setattr(TorchBackend, "_forward", full)
            with pytest.raises(DeviceMemoryError, match="lower max_batch_tokens"):
                backend.run(features)
        assert backend.run(features)[0].dense is not None
