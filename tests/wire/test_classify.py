"""Classification as Infinity and text-embeddings-inference have it, and vLLM's scores of pairs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.server import Server
from tests.tiny import case
from tests.tiny.texts import PAIRS, TEXTS

from .configs import MODEL
from .errors import infinity_refusal, openai_refusal, tei_refusal
from .exchange import Answer, post

LABELS = ["sad", "neutral", "glad"]
CHOSEN = TEXTS[:4]


def expected(index: int, *, raw: bool = False) -> dict[str, float]:
    """What the reference library says of a text."""
    logits = case.answers("classifier")["logits"][index].astype(np.float64)
    shares = logits if raw else np.exp(logits) / np.exp(logits).sum()
    return dict(zip(LABELS, shares.tolist(), strict=True))


def check_rows(rows: list[dict[str, Any]], wanted: dict[str, float]) -> None:
    """The likeliest label first, and each with its score."""
    assert [list(row) for row in rows] == [["score", "label"]] * len(wanted)
    found = [row["score"] for row in rows]
    assert found == sorted(found, reverse=True)
    assert {row["label"]: row["score"] for row in rows} == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("path", ["/classify", "/v1/classify"])
def test_classify(ranking: Server, path: str) -> None:
    """Infinity's form: a list of labels for each text, and usage."""
    body = post(ranking, path, {"model": "moods", "input": CHOSEN}).json()
    assert list(body) == ["data", "model", "usage", "id", "created", "object"]
    assert body["object"] == "classify"
    for index, rows in enumerate(body["data"]):
        check_rows(rows, expected(index))
    tokens = int(case.answers("classifier")["counts"][: len(CHOSEN)].sum())
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_classify_raw(ranking: Server) -> None:
    """`raw_scores` has its effect here: logits. One text may be given by itself, and no model, where one classifies."""
    body = post(ranking, "/classify", {"input": TEXTS[0], "raw_scores": True}).json()
    assert body["model"] == "moods"
    check_rows(body["data"][0], expected(0, raw=True))


def test_predict(ranking: Server) -> None:
    """TEI's form: a list for one input, a list of lists for a list of inputs."""
    one = post(ranking, "/predict", {"inputs": TEXTS[0]}).json()
    check_rows(one, expected(0))
    check_rows(post(ranking, "/predict", {"inputs": [TEXTS[0]]}).json(), expected(0))
    batch = post(ranking, "/predict", {"inputs": [[text] for text in CHOSEN], "raw_scores": True}).json()
    for index, rows in enumerate(batch):
        check_rows(rows, expected(index, raw=True))


def test_predict_a_pair(ranking: Server) -> None:
    """Two texts in a list are one pair; the scorer of pairs has one score, without a name of its own."""
    logit = float(case.answers("scorer-bert")["logits"][3, 0])
    asked = {"inputs": list(PAIRS[3]), "model": "scorer"}
    (row,) = post(ranking, "/predict", asked).json()
    assert row["label"] == "LABEL_0"
    assert row["score"] == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-4)
    (mixed, alone) = post(ranking, "/predict", {"inputs": [[TEXTS[0], TEXTS[1]], [TEXTS[0]]], "model": "moods"}).json()
    assert len(mixed) == 3
    check_rows(alone, expected(0))


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"inputs": ""}, 400, "Empty"),
        ({"inputs": []}, 400, "Empty"),
        ({"inputs": [["a"], [""]]}, 400, "Empty"),
        ({"inputs": ["a", "b", "c"]}, 422, "Validation"),
        ({"inputs": [["a", "b", "c"]]}, 422, "Validation"),
        ({"inputs": [["a"], "b"]}, 422, "Validation"),
        ({"inputs": [[]]}, 422, "Validation"),
        ({"inputs": 5}, 422, "Validation"),
        ({}, 422, "Validation"),
        ({"inputs": "a", "truncation_direction": "left"}, 422, "Validation"),
        ({"inputs": [["a"]] * 2049}, 413, "Validation"),
        ({"inputs": "a", "model": MODEL}, 422, "Validation"),
        ({"inputs": "a", "model": "none"}, 404, "NotFound"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_predict_refuses(ranking: Server, body: dict[str, Any], status: int, kind: str) -> None:
    """With TEI's statuses and types."""
    assert tei_refusal(post(ranking, "/predict", {"model": "moods", **body}), status).code == kind


@pytest.mark.parametrize("field", [{"input": []}, {"input": ""}, {"input": ["a", ""]}, {"input": 5}, {"model": MODEL}])
def test_classify_refuses(ranking: Server, field: dict[str, Any]) -> None:
    """In Infinity's form."""
    infinity_refusal(post(ranking, "/classify", {"model": "moods", "input": "a", **field}), 400)


def scores(answer: Answer) -> list[float]:
    """The scores of vLLM's answer, whose rows stand in their order."""
    assert answer.status == 200, answer.body[:300]
    rows = answer.json()["data"]
    assert [row["index"] for row in rows] == list(range(len(rows)))
    assert all(row["object"] == "score" for row in rows)
    return [row["score"] for row in rows]


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
def test_score_one_with_several(ranking: Server, path: str) -> None:
    """In the order of the texts, not of the scores; the same numbers as rerank's."""
    texts = ["b", "a", "c"]
    found = scores(post(ranking, path, {"model": MODEL, "text_1": "a", "text_2": texts}))
    ranked = post(ranking, "/rerank", {"model": MODEL, "query": "a", "documents": texts}).json()["results"]
    assert found == [row["relevance_score"] for row in sorted(ranked, key=lambda row: row["index"])]
    assert found[1] == max(found)
    newer = post(ranking, path, {"model": MODEL, "queries": "a", "documents": texts})
    assert scores(newer) == found


def test_score_pair_by_pair(ranking: Server) -> None:
    """Lists of the same length; usage is that of all pairs, and so are the headers."""
    logits = case.answers("scorer-bert")["logits"][:4, 0].astype(np.float64)
    pairs = {"text_1": [pair[0] for pair in PAIRS[:4]], "text_2": [pair[1] for pair in PAIRS[:4]]}
    answer = post(ranking, "/score", {**pairs, "model": "scorer"})
    assert scores(answer) == pytest.approx((1 / (1 + np.exp(-logits))).tolist(), abs=1e-4)
    tokens = int(case.answers("scorer-bert")["counts"][:4].sum())
    assert answer.json()["usage"]["total_tokens"] == tokens
    assert answer.headers["x-compute-tokens"] == str(tokens)
    raw = post(ranking, "/score", {**pairs, "model": "scorer", "use_activation": False})
    assert scores(raw) == pytest.approx(logits.tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ({"text_1": ["a", "b"]}, "text_1"),
        ({"text_1": None}, "text_1"),
        ({"text_2": []}, "text_2"),
        ({"text_2": None}, "text_2"),
        ({"text_2": 7}, "text_2"),
        ({"text_1": ["a", "b", "c", ""]}, "text_1[3]"),
        ({"text_1": ""}, "text_1"),
        ({"model": "moods"}, "model"),
        ({"model": "moods", "text_1": ["a", "b", "c", "d"]}, "model"),
    ],
)
def test_score_refuses(ranking: Server, field: dict[str, Any], param: str) -> None:
    """Lists that do not fit, missing texts, empty ones."""
    body = {"model": MODEL, "text_1": "a", "text_2": ["a", "b", "c", "d"], **field}
    assert openai_refusal(post(ranking, "/score", body), 400).param == param
