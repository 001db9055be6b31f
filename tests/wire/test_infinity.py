"""Infinity's dialect, where it differs from OpenAI's on the paths they share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import openai_refusal
from .exchange import KEY, get, post
from .golden import vector_faults

UNSAID = [{}, {"model": "default/not-specified"}]
CLIENT = {"dimensions": 0, "modality": "text"}  # what the generated client always adds


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
@pytest.mark.parametrize("model", UNSAID)
def test_model_unsaid_with_one_model(plain: Server, path: str, model: dict[str, Any]) -> None:
    """When one model is loaded, a request that names none is served by it, and the answer names it."""
    answer = post(plain, path, {"input": ["hi"], **CLIENT, **model})
    assert answer.status == 200
    assert answer.json()["model"] == MODEL
    assert vector_faults(answer.json()["data"][0]["embedding"], "hi") == []


@pytest.mark.parametrize("model", UNSAID)
def test_model_unsaid_with_two_models(keyed: Server, model: dict[str, Any]) -> None:
    """When two models are loaded, a request that names none is 400, and the message says what is missing."""
    refusal = openai_refusal(post(keyed, "/v1/embeddings", {"input": ["hi"], **model}, key=KEY), 400)
    assert "model" in refusal.message


def test_dimensions_zero_means_native(plain: Server) -> None:
    """The generated client always sends `dimensions: 0`, which means the whole vector."""
    answer = post(plain, "/embeddings", {"input": ["hi"], "model": MODEL, **CLIENT})
    assert len(answer.json()["data"][0]["embedding"]) == 384


def test_stats_follow_the_load(plain: Server) -> None:
    """An idle server shows an empty queue."""
    stats = get(plain, "/models").json()["data"][0]["stats"]
    assert stats["queue_fraction"] == 0
    assert stats["queue_absolute"] == 0
    assert stats["results_pending"] == 0
    assert stats["batch_size"] >= 1


def test_health_holds_numbers_only_where_the_client_reads_them(plain: Server) -> None:
    """`/health` stands at the root and gives the time as a float."""
    body = get(plain, "/health").json()
    assert type(body["unix"]) is float
    assert body["unix"] > 1_600_000_000
