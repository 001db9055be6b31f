"""Ranking with each kind of model: what the scores are, in which order they come, what they cost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedway.backends.base import Backend
from embedway.backends.fake import FakeBackend
from embedway.backends.open import open_backend
from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.engine.rank import choose_ranker, rank
from embedway.errors import InvalidInput, ModelFailed, ModelNotFound, Unavailable
from embedway.observe import Metrics
from embedway.types import EmbedCall, ModelSpec, Output, RankCall, RankResult, Text
from embedway.vectors import activate, late_interaction
from tests.tiny import case
from tests.tiny.texts import PAIRS, TEXTS

from .questions import QUESTIONS

LIMITS = EngineLimits(Budget(2048, 64), 100_000, 60.0, 5.0, 1)
MINILM = ModelSpec("m", "all-MiniLM-L6-v2", dtype="fp32")
FAKE = ModelSpec("m", "fake:8")


def ask(spec: ModelSpec, *calls: RankCall) -> list[RankResult]:
    """Serve one model and rank with it."""

    async def scenario() -> list[RankResult]:
        engine = LocalEngine([spec], LIMITS, Metrics())
        await engine.start()
        try:
            return [await rank(engine, call) for call in calls]
        finally:
            await engine.stop()

    return asyncio.run(scenario())


def tiny(folder: Path, name: str) -> ModelSpec:
    return ModelSpec("m", str(case.load(name).write(folder)), dtype="fp32")


def scores(result: RankResult) -> list[float]:
    """The scores in the order of the call."""
    return [one.score for one in sorted(result.ranked, key=lambda one: one.index)]


def test_a_cross_encoder_reads_each_pair(tmp_path: Path) -> None:
    """Raw scores are the reference's logits, the others their sigmoid, and usage is the pairs' tokens."""
    chosen = [index for index, pair in enumerate(PAIRS) if pair[0] == PAIRS[0][0]]
    documents = [PAIRS[index][1] for index in chosen]
    wanted = case.answers("scorer-bert")
    raw, usual = ask(
        tiny(tmp_path, "scorer-bert"),
        RankCall("m", PAIRS[0][0], documents, raw=True),
        RankCall("m", PAIRS[0][0], documents),
    )
    logits = wanted["logits"][chosen, 0]
    assert np.allclose(scores(raw), logits, atol=1e-4)
    assert np.allclose(scores(usual), 1 / (1 + np.exp(-logits.astype(np.float64))), atol=1e-4)
    assert raw.usage.tokens == wanted["counts"][chosen].sum()
    assert raw.ranker == "cross-encoder"


def test_late_interaction_is_computed_from_token_vectors(tmp_path: Path) -> None:
    """With the head that is trained for it: the mean largest cosine, of the vectors that the model gives by itself."""
    spec = tiny(tmp_path, "bge-m3")
    query, *documents = TEXTS[:6]
    (result,) = ask(spec, RankCall("m", query, documents, raw=True))
    backend = open_backend(spec, 1)
    matrices = [
        token_vectors(backend, text, role) for text, role in ((query, "query"), *((d, "document") for d in documents))
    ]
    assert result.ranker == "late-interaction"
    assert np.allclose(scores(result), [late_interaction(matrices[0], one) for one in matrices[1:]], atol=1e-5)
    assert result.usage.tokens == sum(backend.prepare(Text(text)).cost for text in (query, *documents))


def token_vectors(backend: Backend, text: str, role: str) -> np.ndarray:
    features = backend.prepare(Text(text, "query" if role == "query" else "document", Output.TOKENS))
    (outputs,) = backend.run([features])
    assert outputs.tokens is not None
    return outputs.tokens


def test_an_embedder_ranks_by_its_hidden_states() -> None:
    """And says that it is an embedder. Markers around the text have no vector; every other row has length 1."""
    backend = open_backend(MINILM, 1)
    found = token_vectors(backend, "hello world", "query")
    assert found.shape == (2, 384)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert choose_ranker(backend.facts) == "embedder-late-interaction"


def test_a_text_matches_itself_best() -> None:
    """With a score of 1; a document without a word that the model knows has 0."""
    text = "A violin has four strings."
    (result,) = ask(MINILM, RankCall("m", text, ["Rain is forecast.", "", text, "The guitar was sold."]))
    assert result.ranked[0].index == 2
    assert result.ranked[0].score == pytest.approx(1, abs=1e-5)
    assert (result.ranked[-1].index, result.ranked[-1].score) == (1, 0.0)
    assert all(0 <= one.score <= 1 for one in result.ranked)


def test_the_bundled_model_ranks_by_meaning() -> None:
    """Of five passages that share the question's words the one that answers it comes first far more often than by
    chance (4 of 20), and than by counting shared words.
    """
    calls = [RankCall("m", question, passages) for question, passages in QUESTIONS]
    found = [result.ranked for result in ask(MINILM, *calls)]
    first = sum(ranked[0].index == 0 for ranked in found)
    reciprocal = np.mean([1 / (1 + [one.index for one in ranked].index(0)) for ranked in found])
    by_words = sum(np.argmax([shared(question, one) for one in passages]) == 0 for question, passages in QUESTIONS)
    assert len(QUESTIONS) == 20
    assert first >= 12
    assert reciprocal > 0.78
    assert by_words <= first - 6


def shared(question: str, passage: str) -> float:
    """How many of the passage's words are the question's."""
    ours, theirs = (set(re.findall(r"\w+", text.lower())) for text in (question, passage))
    return len(ours & theirs) / len(theirs)


def test_the_answer_does_not_depend_on_the_other_documents() -> None:
    """Each document's score is the same alone and among the others."""
    question, passages = QUESTIONS[0]
    together, *alone = ask(
        MINILM, RankCall("m", question, passages), *(RankCall("m", question, [one]) for one in passages)
    )
    assert scores(together) == [one.ranked[0].score for one in alone]


def test_callers_in_one_batch_keep_their_own_queries() -> None:
    """Documents of several calls travel together; each is compared with the query of its call."""
    calls = [RankCall("m", question, passages) for question, passages in QUESTIONS[:8]]
    alone = ask(MINILM, *calls)

    async def scenario() -> None:
        engine = LocalEngine([MINILM], LIMITS, Metrics())
        await engine.start()
        try:
            together = await asyncio.gather(*(rank(engine, call) for call in calls))
        finally:
            await engine.stop()
        assert [one.ranked for one in together] == [one.ranked for one in alone]

    asyncio.run(scenario())


def test_vectors_alone_are_compared_by_cosine() -> None:
    """With a model that has nothing else. A negative cosine is 0, unless raw scores are asked for."""
    documents = ["a", "b", "query", "c"]
    usual, raw = ask(FAKE, RankCall("m", "query", documents), RankCall("m", "query", documents, raw=True))
    backend = FakeBackend(FAKE)
    query, *rest = [backend.run([backend.prepare(Text(text))])[0].dense for text in ("query", *documents)]
    cosines = [float(query @ one) for one in rest if query is not None and one is not None]
    assert usual.ranker == "embedder-cosine"
    assert np.allclose(scores(raw), cosines, atol=1e-6)
    assert min(cosines) < 0
    assert np.allclose(scores(usual), np.clip(cosines, 0, 1), atol=1e-6)
    assert usual.usage.tokens == len("query") * 2 + 3


def test_equal_scores_keep_their_order_and_top_n_cuts() -> None:
    """Documents that are the same stand in the order of the call."""
    documents = ["same", "other", "same", "query", "same"]
    whole, cut = ask(FAKE, RankCall("m", "query", documents), RankCall("m", "query", documents, top_n=2))
    places = [one.index for one in whole.ranked]
    assert places[0] == 3
    assert [place for place in places if documents[place] == "same"] == [0, 2, 4]
    assert cut.ranked == whole.ranked[:2]


@pytest.mark.parametrize(
    ("spec", "query", "documents", "field", "item"),
    [
        (ModelSpec("m", "fake", truncation="error", max_tokens=4), "too long", ["a"], "$.query", None),
        (ModelSpec("m", "fake", truncation="error", max_tokens=4), "a", ["b", "too long"], None, 1),
    ],
)
def test_a_bad_text_is_named(
    spec: ModelSpec, query: str, documents: Sequence[str], field: str | None, item: int | None
) -> None:
    """The query by its field, a document by its number."""
    with pytest.raises(InvalidInput, match="longer") as caught:
        ask(spec, RankCall("m", query, documents))
    assert (caught.value.field, caught.value.item) == (field, item)


def test_a_classifier_ranks_nothing(tmp_path: Path) -> None:
    """One sentence says what would."""
    with pytest.raises(InvalidInput, match="choose a reranker"):
        ask(tiny(tmp_path, "classifier"), RankCall("m", "a", ["b"]))


def test_names_and_states_of_models_are_checked() -> None:
    """A name that nobody has, and a model that is still loading."""

    async def scenario() -> None:
        engine = LocalEngine([FAKE], LIMITS, Metrics())
        with pytest.raises(ModelNotFound):
            await rank(engine, RankCall("none", "a", ["b"]))
        with pytest.raises(Unavailable, match="loading"):
            await rank(engine, RankCall("m", "a", ["b"]))

    asyncio.run(scenario())


def test_one_poisoned_document_fails_its_call() -> None:
    """As a poisoned text fails an embedding."""
    with pytest.raises(ModelFailed):
        ask(FAKE, RankCall("m", "a", ["b", "!fail"]))


def test_compared_items_hold_no_token_vectors() -> None:
    """Only a score of each comes back, so that a thousand long documents fit into memory."""

    async def scenario() -> None:
        engine = LocalEngine([MINILM], LIMITS, Metrics())
        await engine.start()
        try:
            query = np.eye(2, 384, dtype=np.float32)
            items = [Text("a b c", outputs=Output.TOKENS | Output.DENSE)]
            (outputs,) = (await engine.embed(EmbedCall("m", items, compare_with=query))).outputs
            assert outputs.tokens is None
            assert outputs.dense is not None
            assert outputs.scores is not None
            assert outputs.scores.shape == (1,)
        finally:
            await engine.stop()

    asyncio.run(scenario())


def test_activations() -> None:
    """Sigmoid and softmax where exponentials would overflow, and logits left as they are."""
    logits = np.array([-1000, 0, 1000], dtype=np.float32)
    assert activate(logits, "sigmoid").tolist() == [0, 0.5, 1]
    assert activate(logits, "softmax").tolist() == [0, 0, 1]
    assert activate(np.array([1, 2], dtype=np.float32), "softmax") == pytest.approx([0.268941, 0.731059], abs=1e-6)
    assert activate(logits, "identity").tolist() == logits.tolist()
