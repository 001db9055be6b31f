"""Texts in which the padding token's name is written: RoBERTa's and MPNet's positions leave it out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.reference import compare, sentence
from tests.tiny.builders import builders
from tests.tiny.make import build

from .ours import compute

TEXTS = ["one <pad> two", "<pad>", "<pad><pad> three four <pad> five", "six seven eight"]


@pytest.mark.parametrize("name", ["camembert", "mpnet", "roberta", "xlm-roberta"])
def test_a_written_padding_token_is_read_as_the_library_reads_it(
    name: str, tmp_path: Path, report: Callable[[object], None]
) -> None:
    """Together in one batch."""
    folder = tmp_path / "model"
    build(builders()[name], folder)
    wanted, ours = sentence.encode(folder, TEXTS), compute(str(folder), TEXTS)
    assert (ours.tokens == wanted.tokens).all()
    agreement = compare.agree(np.asarray(wanted.vectors), ours.vectors, TEXTS)
    report(agreement)
    agreement.require(compare.FP32_COSINE)
