"""A tiny model's answers, Embedway's beside the reference's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.types import Item, ModelSpec, Outputs, Text
from tests.reference import compare
from tests.tiny.texts import NAMES, TEXTS

TOGETHER = 40


def run(backend: Backend, items: Sequence[Item], together: int) -> list[Outputs]:
    """The items' outputs, `together` in one batch."""
    features = [backend.prepare(item) for item in items]
    return [
        outputs
        for start in range(0, len(features), together)
        for outputs in backend.run(features[start : start + together])
    ]


def check(folder: Path, wanted: Mapping[str, npt.NDArray[Any]]) -> list[compare.Agreement]:
    """Require the reference's token counts and vectors, alone and in batches of 40."""
    items = [Text(text) for text in TEXTS]
    with closing(open_backend(ModelSpec(name="tiny", source=str(folder), dtype="fp32"))) as backend:
        assert [backend.prepare(item).cost for item in items] == wanted["counts"].tolist()
        agreements = []
        for together in (1, TOGETHER):
            spread = [items[index * 7 % len(items)] for index in range(TOGETHER)] if together > 1 else items
            outputs = run(backend, spread, together)
            rows = np.stack([one.dense for one in outputs if one.dense is not None])
            chosen = [TEXTS.index(item.text) for item in spread if isinstance(item, Text)]
            agreement = compare.agree(wanted["dense"][chosen], rows, [NAMES[index] for index in chosen])
            agreement.require(compare.FP32_COSINE)
            agreements.append(agreement)
        return agreements
