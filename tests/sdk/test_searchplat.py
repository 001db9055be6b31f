"""`alibabacloud-searchplat20240529`: text embedding and predictions, with a Bearer key; and how it reads errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.wire.golden import vector_faults

TEXTS = ["科学技术是第一生产力", "opensearch"]
Report = dict[str, Any]


def check(found: dict[str, Any]) -> None:
    """Check the answer for both texts."""
    assert "raised" not in found, found
    assert found["status"] == 200
    assert found["indexes"] == [0, 1]
    assert found["tokens"] == 17
    assert found["latency"] >= 0
    assert found["request_id"] == found["header_id"]
    for vector, text in zip(found["vectors"], TEXTS, strict=True):
        assert vector_faults(vector, text) == []


@pytest.mark.parametrize("name", ["embed", "query", "untyped", "async"])
def test_text_embedding(searchplat_report: Report, name: str) -> None:
    """The client parses the envelope whole, sync and async, with each input_type."""
    check(searchplat_report[name])


@pytest.mark.parametrize("name", ["url", "url_slash"])
def test_endpoint_with_a_scheme(searchplat_report: Report, lone_searchplat_report: Report, name: str) -> None:
    """With `http://` in the endpoint the client sends a URL as Host; servers with and without keys accept it."""
    check(searchplat_report[name])
    assert lone_searchplat_report[name]["code"] == "ServiceIdNotExist"


def test_plain_string(searchplat_report: Report) -> None:
    """A plain string passes through the list-typed client."""
    assert vector_faults(searchplat_report["string"]["vectors"][0], "hi") == []


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("unknown", 400, "ServiceIdNotExist"),
        ("empty", 400, "InvalidParameter"),
        ("too_many", 400, "InvalidParameter"),
        ("input_type", 400, "InvalidParameter"),
        ("stranger", 401, "InvalidApiKey"),
        ("predict_dimension", 400, "InvalidParameter"),
        ("predict_unknown", 400, "ServiceIdNotExist"),
        ("sparse_empty", 400, "InvalidParameter"),
        ("rank_none", 400, "InvalidParameter"),
        ("rank_unknown", 400, "ServiceIdNotExist"),
        ("predict_rank_text", 400, "InvalidParameter"),
        ("predict_rank_many", 400, "InvalidParameter"),
    ],
)
def test_errors(searchplat_report: Report, name: str, status: int, code: str) -> None:
    """The client finds code, status, message and request id in every refusal."""
    found = searchplat_report[name]
    assert found["raised"] == "UnretryableException"
    assert found["code"] == code
    assert found["data"]["statusCode"] == status
    assert found["data"]["request_id"] in found["message"]
    assert found["data"]["message"] in found["message"]


def test_wrong_deployment_token(searchplat_report: Report) -> None:
    """A wrong `Token` is refused, and the client reads why."""
    found = searchplat_report["predict_stranger"]
    assert found["data"]["statusCode"] in (401, 403)
    assert found["code"]
    assert found["data"]["message"] in found["message"]


def test_prediction(searchplat_report: Report) -> None:
    """A prediction's body is the plain JSON text of the document; what was ignored stands in a header."""
    found = searchplat_report["predict"]
    assert found["status"] == 200
    body = json.loads(found["body"])
    assert list(body) == ["embeddings"]
    for row, text in zip(body["embeddings"], TEXTS, strict=True):
        assert vector_faults(row["embedding"], text) == []
    headers = {name.lower(): value for name, value in found["headers"].items()}
    assert headers["x-embedway-ignored"] == "dimension"


def test_prediction_from_json_text(searchplat_report: Report) -> None:
    """A body given as JSON text reaches the server as the same object."""
    rows = json.loads(searchplat_report["predict_text"]["body"])["embeddings"]
    assert vector_faults(rows[0]["embedding"], "hi") == []


def test_sparse_embedding(searchplat_report: Report) -> None:
    """The terms of each text in their order in it, spelled only where that is asked for."""
    found, ids = searchplat_report["sparse"], searchplat_report["sparse_ids"]
    assert found["indexes"] == [0, 1]
    assert found["tokens"] == 17
    assert found["request_id"]
    chinese, english = found["terms"]
    assert "".join(token for _, _, token in english) == "opensearch"
    assert [token for _, _, token in chinese] == ["学", "一", "生", "力"]  # the bundled vocabulary has no others
    assert all(weight > 0 for _, weight, _ in [*chinese, *english])
    assert [[term[:2] for term in row] for row in ids["terms"]] == [
        [term[:2] for term in row] for row in found["terms"]
    ]
    assert {token for row in ids["terms"] for _, _, token in row} == {None}


def test_document_rank(searchplat_report: Report) -> None:
    """Every document, best first, each with its place in the request."""
    found = searchplat_report["rank"]
    indexes, scores = zip(*found["scores"], strict=True)
    assert indexes == (2, 0, 1)
    assert sorted(scores, reverse=True) == list(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert found["documents"] == 3


@pytest.mark.parametrize("name", ["predict_rank", "predict_rank_list"])
def test_a_deployed_ranker(searchplat_report: Report, name: str) -> None:
    """Bare scores in the order of the documents; the query as a string or a list of one."""
    body = json.loads(searchplat_report[name]["body"])
    ranked = dict(searchplat_report["rank"]["scores"])
    assert body == {"scores": [pytest.approx(ranked[index], abs=1e-6) for index in range(3)]}
