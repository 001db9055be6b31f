"""Rerank on the dialects that have it: which of them a body belongs to, what each answers, what each refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.server import Server
from tests.tiny import case
from tests.tiny.texts import PAIRS

from .configs import MODEL
from .errors import Refusal, cohere_refusal, infinity_refusal, openai_refusal, tei_refusal
from .exchange import KEY, Answer, post, send

QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked in an oven."]
ORDER = [1, 0, 2]
BODY = {"model": MODEL, "query": QUERY, "documents": DOCUMENTS}
TEI = {"query": QUERY, "texts": DOCUMENTS, "model": MODEL}
SHARED = ["/v1/rerank", "/rerank"]
NULLS = {
    "/v1/rerank": ["top_n", "return_documents", "instruction", "rank_fields", "max_tokens_per_doc", "raw_scores"],
    "/v2/rerank": ["top_n", "max_tokens_per_doc", "priority", "return_documents", "instruction"],
}

both = pytest.mark.parametrize("path", SHARED)


def results(answer: Answer) -> list[dict[str, Any]]:
    """The rows of an answer that has `results`."""
    assert answer.status == 200, answer.body[:300]
    return list(answer.json()["results"])


@both
def test_documents_are_jinas_and_coheres(plain: Server, path: str) -> None:
    """Best first, with the document as an object, and what the clients of each look for beside it."""
    answer = post(plain, path, BODY)
    assert [row["index"] for row in results(answer)] == ORDER
    assert list(results(answer)[0]) == ["index", "relevance_score", "document"]
    assert results(answer)[0]["document"] == {"text": DOCUMENTS[1]}
    body = answer.json()
    assert body["usage"]["total_tokens"] == body["meta"]["tokens"]["input_tokens"] == 4 * 9
    assert body["meta"]["billed_units"] == {"search_units": 1}
    assert answer.headers["x-compute-tokens"] == "36"


@both
@pytest.mark.parametrize("raw", [True, False])
def test_raw_scores_are_infinitys(plain: Server, path: str, raw: bool) -> None:
    """A body that says `raw_scores` gets Infinity's form, with the document as a plain text."""
    answer = post(plain, path, {**BODY, "raw_scores": raw, "return_documents": True})
    assert answer.json()["object"] == "rerank"
    assert answer.json()["id"].startswith("infinity-")
    assert [row["document"] for row in results(answer)] == [DOCUMENTS[index] for index in ORDER]


@both
def test_texts_are_teis(plain: Server, path: str) -> None:
    """A body with `texts` gets a bare list, best first."""
    rows = post(plain, path, TEI).json()
    assert [row["index"] for row in rows] == ORDER
    assert list(rows[0]) == ["index", "score"]
    rows = post(plain, path, {**TEI, "return_text": True, "top_n": 1}).json()
    assert [row["text"] for row in rows] == [DOCUMENTS[1]]


def test_version_two_is_coheres(plain: Server) -> None:
    """Without documents, unless they are asked for."""
    answer = post(plain, "/v2/rerank", {**BODY, "top_n": 2})
    assert list(answer.json()) == ["id", "results", "meta"]
    assert [list(row) for row in results(answer)] == [["index", "relevance_score"]] * 2
    assert answer.json()["meta"]["api_version"] == {"version": "2"}
    asked = post(plain, "/v2/rerank", {**BODY, "return_documents": True})
    assert results(asked)[0]["document"] == {"text": DOCUMENTS[1]}


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_null_stands_for_absent(plain: Server, path: str) -> None:
    """For each optional field; a null does not make a body another dialect's either."""
    nulls = dict.fromkeys(NULLS[path]) | {"texts": None}
    plainly, with_nulls = post(plain, path, BODY), post(plain, path, {**BODY, **nulls})
    assert results(with_nulls) == results(plainly)
    unsaid = post(plain, path, {**BODY, "model": None})
    assert results(unsaid) == results(plainly)
    tei = {**TEI, "model": None, "raw_scores": None, "return_text": None, "truncate": None, "top_n": None}
    assert len(post(plain, "/rerank", {**tei, "truncation_direction": None, "documents": None}).json()) == 3


def test_documents_may_be_objects(plain: Server) -> None:
    """With their text, beside plain strings; other keys of theirs are passed over."""
    mixed = [{"text": DOCUMENTS[0]}, DOCUMENTS[1], {"text": DOCUMENTS[2], "id": 7}]
    for path in ("/v1/rerank", "/v2/rerank"):
        assert results(post(plain, path, {**BODY, "documents": mixed})) == results(post(plain, path, BODY))


@pytest.mark.parametrize(("given", "returned"), [(None, 3), (0, 3), (1, 1), (3, 3), (10, 3)])
def test_top_n(plain: Server, given: int | None, returned: int) -> None:
    """None and 0 mean all, and so does more than there are."""
    for path, body in (("/v1/rerank", BODY), ("/v2/rerank", BODY), ("/rerank", {**BODY, "raw_scores": False})):
        assert len(results(post(plain, path, {**body, "top_n": given}))) == returned


def test_documents_are_left_out_where_asked(plain: Server) -> None:
    """`return_documents: false`; Infinity leaves them out by itself."""
    assert "document" not in results(post(plain, "/rerank", {**BODY, "return_documents": False}))[0]
    assert "document" not in results(post(plain, "/rerank", {**BODY, "raw_scores": False}))[0]


def scored(server: Server, path: str, body: dict[str, Any]) -> list[float]:
    """The scores in the order of the documents."""
    answer = post(server, path, body)
    assert answer.status == 200, answer.body[:300]
    rows = answer.json() if isinstance(answer.json(), list) else answer.json()["results"]
    key = "score" if "score" in rows[0] else "relevance_score"
    return [row[key] for row in sorted(rows, key=lambda row: row["index"])]


def test_a_cross_encoders_scores(ranking: Server) -> None:
    """The reference library's logits where they are asked for, and their sigmoid where not, on every dialect."""
    query, document = PAIRS[3]
    logit = float(case.answers("scorer-bert")["logits"][3, 0])
    sigmoid = 1 / (1 + math.exp(-logit))
    body = {"model": "scorer", "query": query, "documents": [document]}
    tei = {"model": "scorer", "query": query, "texts": [document]}
    assert scored(ranking, "/rerank", {**body, "raw_scores": True}) == pytest.approx([logit], abs=1e-4)
    assert scored(ranking, "/rerank", {**tei, "raw_scores": True}) == pytest.approx([logit], abs=1e-4)
    for path, asked in (
        ("/v1/rerank", body),
        ("/v2/rerank", body),
        ("/rerank", {**body, "raw_scores": False}),
        ("/rerank", tei),
    ):
        assert scored(ranking, path, asked) == pytest.approx([sigmoid], abs=1e-4)


@pytest.mark.parametrize(
    ("model", "ranker"),
    [(MODEL, "embedder-late-interaction"), ("scorer", "cross-encoder"), ("multi", "late-interaction")],
)
def test_a_header_says_how_it_was_ranked(ranking: Server, model: str, ranker: str) -> None:
    """An embedder is not taken for a reranker."""
    answer = post(ranking, "/v2/rerank", {**BODY, "model": model})
    assert answer.headers["x-embedway-ranker"] == ranker


def test_the_reranker_answers_where_no_model_is_named(ranking: Server) -> None:
    """TEI's bodies name none: of several models the only one for the task is meant."""
    for path, body in (("/rerank", {"query": "a", "texts": ["b"]}), ("/v2/rerank", {"query": "a", "documents": ["b"]})):
        assert post(ranking, path, body).headers["x-embedway-ranker"] == "cross-encoder"


def test_what_has_no_effect_is_named(plain: Server) -> None:
    """In a header."""
    answer = post(plain, "/v2/rerank", {**BODY, "instruction": "find facts", "max_tokens_per_doc": 100})
    assert answer.headers["x-embedway-ignored"] == "instruction, max_tokens_per_doc"
    assert post(plain, "/v2/rerank", BODY).headers["x-embedway-ignored"] is None


def test_a_lower_priority_is_served(plain: Server) -> None:
    """Cohere's `priority`: 0 is the highest."""
    assert results(post(plain, "/v2/rerank", {**BODY, "priority": 5})) == results(post(plain, "/v2/rerank", BODY))


def test_empty_documents_are_served_and_come_last(plain: Server) -> None:
    """One blank row of a table must not fail the whole call."""
    rows = results(post(plain, "/v1/rerank", {**BODY, "documents": ["", *DOCUMENTS]}))
    assert (rows[-1]["index"], rows[-1]["relevance_score"]) == (0, 0.0)


Check = Callable[[Answer, int], Refusal]
FORMS: list[tuple[str, str, dict[str, Any], Check, int]] = [
    ("jina", "/v1/rerank", BODY, openai_refusal, 400),
    ("infinity", "/rerank", {**BODY, "raw_scores": False}, infinity_refusal, 400),
    ("tei", "/rerank", TEI, tei_refusal, 422),
    ("cohere", "/v2/rerank", BODY, cohere_refusal, 400),
]
each_form = pytest.mark.parametrize(
    ("path", "body", "check", "wrong"), [row[1:] for row in FORMS], ids=lambda one: None
)


@each_form
def test_refusals_in_each_form(plain: Server, path: str, body: dict[str, Any], check: Check, wrong: int) -> None:
    """An unknown model, a value of another type, one out of range, an empty query: as the body's dialect words it."""
    assert "no-such" in check(post(plain, path, {**body, "model": "no-such"}), 404).message
    for field in ({"query": 5}, {"top_n": -1}, {"top_n": "many"}, {"query": ""}):
        refusal = check(post(plain, path, {**body, **field}), wrong)
        assert next(iter(field)) in refusal.message + (refusal.param or "")
    documents = "texts" if "texts" in body else "documents"
    refusal = check(post(plain, path, {**body, documents: ["a", 5]}), wrong)
    assert f"{documents}[1]" in refusal.message + (refusal.param or "")
    check(post(plain, path, {**body, documents: []}), 400)
    check(post(plain, path, {**body, documents: ["a"] * 2049}), 413 if documents == "texts" else 400)


@pytest.mark.parametrize(
    ("path", "check"), [*((path, openai_refusal) for path in SHARED), ("/v2/rerank", cohere_refusal)]
)
def test_the_first_dialect_of_a_path_words_what_comes_before_the_body(plain: Server, path: str, check: Check) -> None:
    """Broken JSON, no object, another type, another method."""
    for raw in (b"{", b"[]", b"null", b"", b'{"texts":'):
        check(send(plain, "POST", path, raw), 400)
    check(post(plain, path, BODY, headers={"Content-Type": "text/plain"}), 415)


def test_the_key_is_asked_for_first(keyed: Server) -> None:
    """Whatever the body would have been; with the key all are served."""
    for path in SHARED:
        openai_refusal(post(keyed, path, TEI), 401)
        assert post(keyed, path, TEI, key=KEY).status == 200
    cohere_refusal(post(keyed, "/v2/rerank", BODY), 401)
    infinity_refusal(post(keyed, "/classify", {"input": "a"}), 401)
    tei_refusal(post(keyed, "/predict", {"inputs": "a"}), 401)


def test_a_method_that_is_not_there(plain: Server) -> None:
    """405 in the words of the path's dialect."""
    cohere_refusal(send(plain, "GET", "/v2/rerank"), 405)
    tei_refusal(send(plain, "GET", "/predict"), 405)
    infinity_refusal(send(plain, "GET", "/classify"), 405)
    openai_refusal(send(plain, "GET", "/rerank"), 405)


def test_several_models_and_none_named(keyed: Server) -> None:
    """400, and the message says what is missing."""
    body = {key: value for key, value in BODY.items() if key != "model"}
    assert openai_refusal(post(keyed, "/rerank", body, key=KEY), 400).param == "model"


def test_a_classifier_is_no_reranker(ranking: Server) -> None:
    """400, and the message says what is."""
    assert "reranker" in openai_refusal(post(ranking, "/rerank", {**BODY, "model": "moods"}), 400).message


def test_what_cannot_be_honoured_is_refused(plain: Server) -> None:
    """Fields of objects other than `text`; texts cut at their beginning; texts that must not be cut."""
    assert openai_refusal(post(plain, "/rerank", {**BODY, "rank_fields": ["title"]}), 400).param == "rank_fields"
    tei_refusal(post(plain, "/rerank", {**TEI, "truncation_direction": "Left"}), 422)
    assert post(plain, "/rerank", {**TEI, "truncation_direction": "Right"}).status == 200
    long = {**TEI, "texts": ["word " * 300]}
    assert post(plain, "/rerank", {**long, "truncate": True}).headers["x-embedway-truncated"] == "1"
    assert "truncate" in tei_refusal(post(plain, "/rerank", {**long, "truncate": False}), 422).message


def test_scores_stay_json(plain: Server) -> None:
    """Numbers between 0 and 1 for every pair of odd texts."""
    odd = ["\u200b", "  ", "\U0001f469\u200d\U0001f4bb", "[CLS]", "a\0b", "word " * 400]
    for query in odd:
        rows = results(post(plain, "/rerank", {"query": query, "documents": odd}))
        assert all(0 <= row["relevance_score"] <= 1 for row in rows), json.dumps(rows)
