"""Pairs and labels through the sentence backend, beside the library called directly."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.errors import InvalidInput, ModelFilesError
from embedway.types import ModelSpec, Output, Pair, Text
from tests.parity.library import run, save_asked, save_asking, save_classifier, save_scorer, stack_scores
from tests.tiny.builders.builder import LIMIT_TOKENS
from tests.tiny.texts import PAIRS, TEXTS

FORTY = [PAIRS[index * 7 % len(PAIRS)] for index in range(40)]
LONG = "word " * 200
INSTRUCTION = "Find what contradicts it."


def open_model(folder: Path, **more: object) -> Backend:
    return open_backend(ModelSpec("m", str(folder), dtype="fp32", device="cpu", **more))  # type: ignore[arg-type]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("together", [1, 40])
def test_a_cross_encoder_that_no_family_covers_gives_the_librarys_scores(
    together: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Chosen by itself, and said so. Pairs too long are cut as the library cuts them."""
    folder = save_scorer(tmp_path)
    library = CrossEncoder(str(folder), device="cpu")
    pairs = [*FORTY, (LONG, "short"), ("short", LONG), (LONG, LONG)]
    with caplog.at_level(logging.INFO), closing(open_model(folder)) as backend:
        scores = stack_scores(run(backend, [Pair(*pair) for pair in pairs], together))
    assert "run by sentence-transformers" in caplog.text
    facts = backend.facts
    assert (facts.backend, facts.tasks, facts.labels) == ("sentence", {"rerank"}, ())
    assert (facts.outputs, facts.activation, facts.dimensions) == (Output.SCORES, "sigmoid", 0)
    wanted = library.predict(pairs)
    assert np.ptp(wanted) > 0.1, "the scores are too much alike to prove anything"
    assert sigmoid(scores[:, 0]) == pytest.approx(wanted, abs=1e-5)


def test_a_pairs_tokens_are_counted_and_cut(tmp_path: Path) -> None:
    folder = save_scorer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with closing(open_model(folder)) as backend:
        for query, document in PAIRS:
            features, whole = backend.prepare(Pair(query, document)), len(tokenizer(query, document)["input_ids"])
            assert (features.cost, features.cut) == (min(whole, LIMIT_TOKENS), whole > LIMIT_TOKENS)
        assert backend.prepare(Pair(LONG, LONG)).cut
    with closing(open_model(folder, truncation="error")) as backend:
        with pytest.raises(InvalidInput, match="longer than"):
            backend.prepare(Pair("short", LONG))
        assert not backend.prepare(Pair("short", "short")).cut


@pytest.mark.parametrize(("kind", "activation"), [("Identity", "identity"), ("Tanh", "identity")])
def test_scores_go_through_the_models_own_activation(kind: str, activation: str, tmp_path: Path) -> None:
    """Also through one that Embedway has no word for."""
    folder = save_scorer(tmp_path, activation_fn=getattr(torch.nn, kind)())
    wanted = CrossEncoder(str(folder), device="cpu").predict(FORTY)
    with closing(open_model(folder)) as backend:
        scores = stack_scores(run(backend, [Pair(*pair) for pair in FORTY]))
    assert backend.facts.activation == activation
    assert scores[:, 0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("problem", "activation"), [("single_label_classification", "softmax"), ("multi_label_classification", "sigmoid")]
)
def test_a_classifier_gives_a_number_for_each_label(problem: str, activation: str, tmp_path: Path) -> None:
    """For texts, and for pairs in the same batch."""
    folder = save_classifier(tmp_path, id2label={0: "sad", 1: "neutral", 2: "glad"}, problem_type=problem)
    items = [Text(TEXTS[0], outputs=Output.SCORES), Pair(*PAIRS[0]), Text(TEXTS[1], outputs=Output.SCORES)]
    with closing(open_model(folder)) as backend:
        scores = stack_scores(run(backend, items))
    facts = backend.facts
    assert (facts.labels, facts.activation, facts.tasks) == (("sad", "neutral", "glad"), activation, {"classify"})
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row, given in zip(scores, [(TEXTS[0],), PAIRS[0], (TEXTS[1],)], strict=True):
        with torch.no_grad():
            logits = network(**tokenizer(*given, return_tensors="pt", truncation=True, max_length=LIMIT_TOKENS)).logits
        assert row == pytest.approx(logits[0].numpy(), abs=1e-5)


@pytest.mark.parametrize("together", [1, 40])
def test_a_language_model_is_asked_about_pairs(together: int, tmp_path: Path) -> None:
    """With its own instruction, and with the callers' in the same batch."""
    folder = save_asked(tmp_path, prompts={"web": "Find what answers it."}, default_prompt_name="web")
    library = CrossEncoder(str(folder), device="cpu")
    items = [Pair(*pair, instruction=INSTRUCTION if index % 3 == 0 else None) for index, pair in enumerate(FORTY)]
    with closing(open_model(folder, backend="sentence")) as backend:
        scores = sigmoid(stack_scores(run(backend, items, together)))[:, 0]
        counts = [backend.prepare(item).cost for item in items[:2]]
    own, asked = library.predict(FORTY), library.predict(FORTY, prompt=INSTRUCTION)
    wanted = np.where(np.arange(40) % 3 == 0, asked, own)
    assert np.abs(own - asked).max() > 1e-2, "the instruction changes too little to prove anything"
    assert scores == pytest.approx(wanted, abs=1e-5)
    given = [
        library.preprocess([FORTY[0]], prompt=INSTRUCTION),
        library.preprocess([FORTY[1]], prompt="Find what answers it."),
    ]
    assert counts == [int(one["attention_mask"].sum()) for one in given]


def test_a_question_that_is_too_long_is_cut_and_still_asked(tmp_path: Path) -> None:
    folder = save_asked(tmp_path)
    with closing(open_model(folder, backend="sentence")) as backend:
        features = backend.prepare(Pair("short", LONG))
        scores = stack_scores(backend.run([features, backend.prepare(Pair("short", "short"))]))
    assert (features.cost, features.cut) == (160, True)
    wanted = CrossEncoder(str(folder), device="cpu").predict([("short", LONG), ("short", "short")])
    assert sigmoid(scores[:, 0]) == pytest.approx(wanted, abs=1e-5)


def test_a_plain_language_model_that_is_called_a_reranker_answers_yes_or_no(tmp_path: Path) -> None:
    """Without a card, as authors publish it beside a chat template for a query and a document."""
    folder = save_asking(tmp_path / "tiny-reranker")
    with closing(open_model(folder, backend="sentence")) as backend:
        scores = stack_scores(run(backend, [Pair(*pair) for pair in FORTY]))
    assert backend.facts.tasks == {"rerank"}
    wanted = CrossEncoder(str(folder), device="cpu").predict(FORTY)
    assert np.ptp(wanted) > 0.1, "the scores are too much alike to prove anything"
    assert sigmoid(scores[:, 0]) == pytest.approx(wanted, abs=1e-5)


def test_an_instruction_is_refused_where_there_is_no_place_for_it(tmp_path: Path) -> None:
    """A network of pairs; a question whose template does not show it."""
    deaf = save_asked(tmp_path / "asked", "<Query>" + TEMPLATE_WITHOUT)
    for folder in (save_scorer(tmp_path / "scorer"), deaf):
        with (
            closing(open_model(folder, backend="sentence")) as backend,
            pytest.raises(InvalidInput, match="without an instruction"),
        ):
            backend.prepare(Pair("a", "b", INSTRUCTION))


TEMPLATE_WITHOUT = """{{ messages | selectattr("role", "eq", "query") | map(attribute="content") | first }}
{{ messages | selectattr("role", "eq", "document") | map(attribute="content") | first }}"""


def test_a_scorer_takes_no_lone_texts(tmp_path: Path) -> None:
    with closing(open_model(save_scorer(tmp_path))) as backend, pytest.raises(InvalidInput, match="scores pairs"):
        backend.prepare(Text("alone"))


def test_what_the_library_cannot_load_or_run_is_refused_with_one_sentence(tmp_path: Path) -> None:
    """A reranker whose tokenizer has no yes; a question without a template; a kind that is not run here."""
    named = save_asking(tmp_path / "tiny-reranker", answers=())
    with pytest.raises(ModelFilesError, match=r"cannot load .*'yes'.*\.$"):
        open_model(named, backend="sentence")
    mute = save_asked(tmp_path / "two", "{% for message in messages if message.role == 'user' %}x{% endfor %}")
    with pytest.raises(ModelFilesError, match=r"cannot run it: .*chat template"):
        open_model(mute, backend="sentence")
    other = save_scorer(tmp_path / "three")
    card = other / "config_sentence_transformers.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"model_type": "MultiVectorEncoder"}))
    with pytest.raises(ModelFilesError, match="is a MultiVectorEncoder"):
        open_model(other, backend="sentence")
