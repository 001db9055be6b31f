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
