"""`alibabacloud-searchplat20240529`: vectors made shorter, and `dimension` of a customised model's deployment."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.reduce.artefacts import rotation

Report = dict[str, Any]
VECTORS = np.array([[0.1, 0.2, 0.3, 0.4], [4.0, 3.0, 2.0, 1.0]])


@pytest.mark.parametrize(("name", "length"), [("tune", 2), ("tune_slash", 2), ("tune_default", 4)])
def test_vectors_are_made_shorter(reduction_report: Report, name: str, length: int) -> None:
    """The client parses the envelope; the vectors are the given ones through the map, cut, of length 1."""
    found = reduction_report[name]
    assert found["status"] == 200
    assert found["documents"] == 2
    assert found["request_id"]
    wanted = (VECTORS @ rotation(4).T)[:, :length]
    assert np.allclose(found["output"], wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)


def test_a_deployment_honours_dimension(reduction_report: Report) -> None:
    """Three of the sixteen numbers that the foundation model has."""
    assert len(json.loads(reduction_report["predict"]["body"])["embeddings"][0]["embedding"]) == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tune_long", "InvalidParameter"),
        ("tune_nobody", "InvalidParameter"),
        ("tune_service", "ServiceIdNotExist"),
        ("predict_long", "InvalidParameter"),
    ],
)
def test_errors(reduction_report: Report, name: str, code: str) -> None:
    """The client finds code, status and message in every refusal."""
    found = reduction_report[name]
    assert found["raised"] == "UnretryableException"
    assert found["code"] == code
    assert found["data"]["statusCode"] == 400
    assert found["data"]["message"] in found["message"]
