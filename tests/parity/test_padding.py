"""The reference library pads the texts of a batch, left of them for decoders; packed tokens know no padding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from tests.reference import compare
from tests.tiny import case
from tests.tiny.texts import NAMES, TEXTS


@pytest.mark.parametrize("name", ["qwen3", "qwen3-window", "mistral", "gemma3-causal"])
def test_left_padding_makes_no_difference(name: str, tmp_path: Path, report: Callable[[object], None]) -> None:
    """The library's own answers to all texts in one padded batch are those to each alone, to which ours are held."""
    model = SentenceTransformer(str(case.load(name).write(tmp_path)), device="cpu", local_files_only=True)
    model.tokenizer.padding_side = "left"
    mask = model.preprocess(TEXTS)["attention_mask"]
    assert int(mask[:, 0].sum()) < len(TEXTS) == int(mask[:, -1].sum())
    together = model.encode(TEXTS, batch_size=len(TEXTS), show_progress_bar=False)
    agreement = compare.agree(case.answers(name)["dense"], np.asarray(together, dtype=np.float32), NAMES)
    report(agreement)
    agreement.require(compare.FP32_COSINE)
