"""A remote model on the routes of several dialects: it answers as a local one does, and fails in their words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.http.app import build_app
from embedway.observe import Metrics
from embedway.settings import Settings

from .services import MANY, Misbehaving, Question, Reply, length_vectors, misbehaving, registered, remote

LIMITS = EngineLimits(batch=Budget(256, 16), queue_tokens=100_000, hang_s=5.0, drain_s=5.0, threads=2)
PLATFORM = "/v3/openapi/workspaces/default/text-embedding/far"
ROUTES: list[tuple[str, dict[str, Any], Callable[[Any], Any]]] = [
    (
        PLATFORM,
        {"input": ["four", "sixsix"]},
        lambda reply: [row["embedding"] for row in reply["result"]["embeddings"]],
    ),
    (
        "/v1/embeddings",
        {"model": "far", "input": ["four", "sixsix"]},
        lambda reply: [row["embedding"] for row in reply["data"]],
    ),
    ("/embed", {"model": "far", "inputs": ["four", "sixsix"], "normalize": False}, lambda reply: reply),
    (
        "/v2/embed",
        {"model": "far", "texts": ["four", "sixsix"], "input_type": "search_document", "embedding_types": ["float"]},
        lambda reply: reply["embeddings"]["float"],
    ),
]


def posts(service: Misbehaving, *requests: tuple[str, Any], **given: Any) -> list[httpx2.Response]:
    """Answers of a server where the service's model is registered as `far`."""

    async def ask() -> list[httpx2.Response]:
        metrics = Metrics()
        engine = LocalEngine((), LIMITS, metrics)
        await engine.start()
        engine.register([registered(remote(service.url, **{"body": MANY} | given))])
        app = build_app(Settings(), engine, metrics, lambda error: None)
        try:
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1", trust_env=False
            ) as client:
                return [await client.post(path, json=body) for path, body in requests]
        finally:
            await engine.stop()

    return asyncio.run(ask())


def test_it_answers_on_every_route() -> None:
    """With the service's vectors, and the tokens that it counts."""

    def count(question: Question) -> Reply:
        return Reply(
            body=json.dumps(json.loads(length_vectors(question).body) | {"usage": {"total_tokens": 7}}).encode()
        )

    with misbehaving(count) as service:
        answers = posts(service, *[(path, body) for path, body, _ in ROUTES])
        for answer, (path, _, read) in zip(answers, ROUTES, strict=True):
            assert answer.status_code == 200, (path, answer.text)
            assert read(answer.json()) == [[4.0, 1.0], [6.0, 1.0]], path
        assert answers[0].json()["usage"] == {"token_count": 7}
        assert answers[1].json()["usage"]["total_tokens"] == 7
        assert {question.json()["input_type"] for question in service.asked} == {"document"}


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (Reply(404, b"no such model"), 502, "answers with status 404: no such model"),
        (Reply(body=b"{"), 502, "gives an answer that is no JSON"),
        (Reply(429, headers=(("Retry-After", "40"),)), 429, "answers with status 429"),
    ],
)
def test_its_failures_are_worded_by_the_dialect(reply: Reply, status: int, said: str) -> None:
    """In the form of each, with the host and the reason."""
    with misbehaving(lambda question: reply) as service:
        platform, openai, *others = posts(service, *[(path, body) for path, body, _ in ROUTES])
        sentence = f"The remote service 127.0.0.1:{service.port} {said}"
        assert [one.status_code for one in (platform, openai, *others)] == [status] * len(ROUTES)
        assert platform.json().keys() == {"request_id", "latency", "code", "message"}
        assert platform.json()["message"].startswith(sentence)
        assert openai.json()["error"]["message"].startswith(sentence)
        assert all(sentence in one.text for one in others)
        if status == 429:
            assert {one.headers["retry-after"] for one in (platform, openai, *others)} == {"40"}


def test_what_it_does_not_do_is_the_callers_error() -> None:
    """400, and its service is not asked: other lengths, terms, tokens, images."""
    requests = [
        ("/v1/embeddings", {"model": "far", "input": "x", "dimensions": 1}),
        ("/v3/openapi/workspaces/default/text-sparse-embedding/far", {"input": ["x"]}),
        ("/tokenize", {"model": "far", "prompt": "x"}),
        (PLATFORM.replace("text-embedding", "multi-modal-embedding"), {"input": [{"image": "iVBORw0KGgo="}]}),
    ]
    with misbehaving() as service:
        for answer, (path, _) in zip(posts(service, *requests), requests, strict=True):
            assert (answer.status_code, path) == (400, path), answer.text
        assert service.asked == []
