"""The engine with models of several kinds: each answers what it can, and says what it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import InvalidInput
from embedway.observe import Metrics
from embedway.types import EmbedCall, EmbedResult, Item, ModelSpec, Output, Pair, Text
from tests.tiny import case
from tests.tiny.texts import PAIRS, TEXTS

LIMITS = EngineLimits(Budget(2048, 64), 100_000, 60.0, 5.0, 1)
ALL_THREE = Output.DENSE | Output.SPARSE | Output.TOKENS


def ask(folder: Path, name: str, items: Sequence[Item], **more: int) -> EmbedResult:
    """Serve one tiny model and ask it once."""

    async def scenario() -> EmbedResult:
        spec = ModelSpec("tiny", str(case.load(name).write(folder)), dtype="fp32")
        engine = LocalEngine([spec], LIMITS, Metrics())
        await engine.start()
        try:
            return await engine.embed(EmbedCall("tiny", items, **more))
        finally:
            await engine.stop()

    return asyncio.run(scenario())


def test_a_scorer_scores_pairs(tmp_path: Path) -> None:
    """In the order of the call, with the tokens of both texts counted."""
    result = ask(tmp_path, "scorer-bert", [Pair(*pair) for pair in PAIRS])
    scores = np.stack([outputs.scores for outputs in result.outputs if outputs.scores is not None])
    wanted = case.answers("scorer-bert")
    assert np.allclose(scores, wanted["logits"], atol=1e-4)
    assert result.usage.tokens == wanted["counts"].sum()
    assert result.usage.characters == sum(len(query) + len(document) for query, document in PAIRS)
    assert list(result.vectors) == []


def test_a_classifier_names_labels(tmp_path: Path) -> None:
    """It takes single texts."""
    result = ask(tmp_path, "classifier", [Text(text, outputs=Output.SCORES) for text in TEXTS])
    scores = np.stack([outputs.scores for outputs in result.outputs if outputs.scores is not None])
    assert np.allclose(scores, case.answers("classifier")["logits"], atol=1e-4)


def test_three_outputs_of_one_pass(tmp_path: Path) -> None:
    """BGE-M3 answers all that is asked together; an item that asks for one gets one."""
    items = [Text(TEXTS[0], outputs=ALL_THREE), Text(TEXTS[1]), Text(TEXTS[2], outputs=Output.SPARSE)]
    three, dense, sparse = ask(tmp_path, "bge-m3", items).outputs
    assert three.dense is not None
    assert three.sparse is not None
    assert three.tokens is not None
    assert dense.dense is not None
    assert (dense.sparse, dense.tokens, dense.scores) == (None, None, None)
    assert sparse.sparse is not None
    assert sparse.dense is None


@pytest.mark.parametrize(
    ("name", "item", "said"),
    [
        ("scorer-bert", Text("a"), "scores pairs"),
        ("scorer-bert", Text("a", outputs=Output.SCORES), "scores pairs"),
        ("bert-mean", Pair("a", "b"), "embeds texts"),
        ("bert-mean", Text("a", outputs=Output.SCORES), "embeds texts"),
        ("bge-m3", Text("a", outputs=Output.STATES), "gives no hidden states of tokens"),
        ("splade-bert", Text("a"), "weighs terms"),
        ("late-unseen", Text("a", outputs=Output.SPARSE), "gives a vector for each token"),
        ("classifier", Text("a"), "classifies"),
    ],
)
def test_what_a_model_cannot_do(name: str, item: Item, said: str, tmp_path: Path) -> None:
    """One sentence on what the model is for, and which item was meant."""
    with pytest.raises(InvalidInput, match=said) as caught:
        ask(tmp_path, name, [item])
    assert caught.value.item == 0
