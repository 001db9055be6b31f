"""`infinity_client` 0.0.78: generated and strict, with and without `/v1`, sync and async."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.configs import MODEL
from tests.wire.golden import vector_faults

Report = dict[str, Any]


@pytest.mark.parametrize("base", ["root", "v1"])
def test_models(infinity_report: Report, base: str) -> None:
    """The client parses every row: fixed strings, stats and capabilities are there."""
    rows = infinity_report[f"{base}_models"]
    assert {MODEL, "acme/minilm"} <= {row["id"] for row in rows}
    for row in rows:
        assert row["object"] == "model"
        assert row["owned_by"] == "infinity"
        assert row["capabilities"] == ["embed"]
        assert set(row["stats"]) >= {"queue_fraction", "queue_absolute", "results_pending", "batch_size"}


@pytest.mark.parametrize("base", ["root", "v1"])
def test_embeddings(infinity_report: Report, base: str) -> None:
    """`dimensions: 0` and `modality`, which the client always sends, give whole vectors as floats."""
    found = infinity_report[f"{base}_embed"]
    assert found["indexes"] == [0, 1]
    assert found["model"] == MODEL
    assert found["usage"] == [6, 6]
    assert vector_faults(found["vectors"][0], "hi") == []
    assert vector_faults(found["vectors"][1], "a") == []


def test_one_text(infinity_report: Report) -> None:
    """A bare string is served."""
    assert vector_faults(infinity_report["one"]["vectors"][0], "hi") == []


def test_health(infinity_report: Report) -> None:
    """`/health` parses, and holds the time."""
    assert infinity_report["health"]["unix"] > 1_600_000_000


def test_model_unsaid(infinity_report: Report, lone_infinity_report: Report) -> None:
    """`default/not-specified` is served where one model is loaded, and is 400 where two are."""
    assert lone_infinity_report["unsaid"]["model"] == MODEL
    assert vector_faults(lone_infinity_report["unsaid"]["vectors"][0], "hi") == []
    assert infinity_report["unsaid"]["raised"] == "UnexpectedStatus"
    assert infinity_report["unsaid"]["status_code"] == 400


def test_unknown_model(infinity_report: Report) -> None:
    """An unknown model is the client's UnexpectedStatus."""
    assert infinity_report["unknown"]["raised"] == "UnexpectedStatus"
    assert infinity_report["unknown"]["status_code"] == 404


def test_wrong_key(infinity_report: Report) -> None:
    """A wrong key is 401."""
    assert infinity_report["stranger"]["status_code"] == 401


def test_async(infinity_report: Report) -> None:
    """The asynchronous half of the client gets the same."""
    *rows, found = infinity_report["async"]
    assert MODEL in [row["id"] for row in rows]
    assert vector_faults(found["vectors"][0], "hi") == []


def test_without_a_key(lone_infinity_report: Report) -> None:
    """A keyless server serves the client that sends no Authorization."""
    assert vector_faults(lone_infinity_report["v1_embed"]["vectors"][0], "hi") == []
