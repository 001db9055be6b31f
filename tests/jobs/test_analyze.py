"""The platform's image-analyze: what is accepted is done, also by the next server; errors are in the platform's words.

The application runs here as it is; the model is a registered one, whose service the tests are.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import orjson
import pytest

from embedway.cli.serve import build_engine
from embedway.http.app import build_app
from embedway.http.dialects.analyze import AnalyzeReply, TaskReply
from embedway.jobs import queue
from embedway.jobs.jobs import IMAGE_ANALYZE
from embedway.jobs.run import Rhythm
from embedway.observe import Metrics
from embedway.settings import Instance, Quota, Settings, hash_secret
from embedway.store.database import Database
from embedway.types import ModelSpec
from tests.backends.services import Misbehaving, Question, Reply, misbehaving
from tests.postgres import Postgres, new_url
from tests.tiny.pictures import PICTURES

SERVICE = "ops-image-analyze-vlm-001"
PNG = PICTURES["wide"]
CONTENT = base64.b64encode(PNG).decode()
LIMIT_S = 30.0


def path(service: str = SERVICE, workspace: str = "default") -> str:
    return f"/v3/openapi/workspaces/{workspace}/image-analyze/{service}/async"


def describe(question: Question) -> Reply:
    """Says how large the image is in base64."""
    size = len(question.json()["image"])
    return Reply(body=orjson.dumps({"said": f"{size} characters", "usage": {"token_count": 7}}))


def only(behave: Callable[[Question], Reply]) -> Callable[[Question], Reply]:
    """Behave so for images; the registry's own question, whether the model answers, has a good answer."""
    return lambda question: behave(question) if CONTENT in question.body.decode() else describe(question)


def times_sent(service: Misbehaving) -> int:
    """How often it was given the image, byte for byte."""
    return sum(question.json()["image"] == CONTENT for question in service.asked)


@pytest.fixture
def sqlite(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url("sqlite", request, tmp_path)


@pytest.fixture
def service() -> Iterator[Misbehaving]:
    with misbehaving(describe) as made:
        yield made


class Client:
    """Asks one application, with an admin key."""

    def __init__(self, http: httpx2.AsyncClient, metrics: Metrics) -> None:
        self._http = http
        self.metrics = metrics

    async def register(self, service: Misbehaving, name: str = SERVICE, instance: str = "default") -> None:
        content = {
            "modelType": "image_analyze",
            "url": service.url,
            "request": {"requestBody": '{"image": "%{input}"}'},
            "response": {"embeddings": "$.said"},
        }
        answer = await self._http.post(
            f"/openapi/ha3/instances/{instance}/models", json={"name": name, "content": content}
        )
        assert answer.status_code == 200, answer.text

    async def create(self, document: Any = None, **where: str) -> httpx2.Response:
        given = {"content": CONTENT, "file_name": "wide.png"} if document is None else document
        return await self._http.post(path(**where), json={"document": given})

    async def created(self, **where: str) -> str:
        answer = await self.create(**where)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=AnalyzeReply).result.task_id

    async def look(self, task_id: str | None, **where: str) -> httpx2.Response:
        given = {} if task_id is None else {"task_id": task_id}
        return await self._http.get(f"{path(**where)}/task-status", params=given)

    async def ended(self, task_id: str) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            while (reply := await self.reply(task_id))["result"]["status"] == "PENDING":  # noqa: ASYNC110 -- as a client does
                await asyncio.sleep(0.02)
        return reply

    async def used(self, settled: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The usage of the one key and the one model that there is, once it is as it should be."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                answer = await self._http.get("/openapi/platform/usage", params={"by": ["key", "namespace", "model"]})
                rows = [row for row in answer.json()["result"] if row["model"] == SERVICE]
                if rows and settled(rows[0]):
                    (row,) = rows
                    found: dict[str, Any] = row
                    return found
                await asyncio.sleep(0.02)

    async def reply(self, task_id: str) -> dict[str, Any]:
        answer = await self.look(task_id)
        assert answer.status_code == 200, answer.text
        msgspec.json.decode(answer.content, type=TaskReply)
        found: dict[str, Any] = answer.json()
        return found


@contextlib.asynccontextmanager
async def application(
    database_url: str, service: Misbehaving | None = None, quota: tuple[Quota, ...] = ()
) -> AsyncIterator[Client]:
    """The application on a database; `service` is the model of the platform's own id."""
    settings = Settings(
        database_url=database_url,
        model=(ModelSpec("texts", "fake:8"),),
        instance=(Instance("mine"),),
        admin_key_sha256=(hash_secret("admin"),),
        allow_private_urls=True,
        drain_timeout_s=1.0,
        quota=quota,
        no_default_quotas=True,  # the tests ask after a task more often than clients do
    )
    metrics = Metrics()
    engine = build_engine(settings, metrics)
    failures: list[Exception] = []
    app = build_app(settings, engine, metrics, failures.append)
    transport, headers = httpx2.ASGITransport(app=app), {"Authorization": "Bearer admin"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers) as http,
    ):
        async with asyncio.timeout(LIMIT_S):
            while not all(one.ready for one in engine.models()):  # noqa: ASYNC110 -- it tells nobody
                await asyncio.sleep(0.01)
        client = Client(http, metrics)
        if service is not None:
            await client.register(service)
        yield client
    assert not failures


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def test_an_image_is_put_into_words(database_url: str, service: Misbehaving) -> None:
    """The model is given the file's own bytes; the answer has the platform's form, and its page is counted."""

    async def scene() -> None:
        async with application(database_url, service) as client:
            task_id = await client.created()
            assert re.fullmatch(r"image-analyze-[0-9a-f]{32}", task_id)
            reply = await client.ended(task_id)
            assert reply["result"] == {
                "task_id": task_id,
                "status": "SUCCESS",
                "data": {"content": f"{len(CONTENT)} characters", "content_type": "text", "page_num": 1},
            }
            assert reply["usage"] == {"token_count": 7, "pv_count": 1}
            assert set(reply) == {"request_id", "latency", "usage", "result"}
            told = client.metrics.registry.get_sample_value
            assert told("embedway_jobs_total", {"kind": IMAGE_ANALYZE, "outcome": "success"}) == 1
        assert times_sent(service) == 1

    run(scene)


def test_a_task_is_counted_with_the_key_that_asked(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request when it comes; its tokens, or its failure, when the task has ended, whichever server did it."""

    monkeypatch.setattr("embedway.jobs.run.RHYTHM", Rhythm(poll_s=0.1, backoff_s=0.05))
    dark = threading.Event()
    refused = Reply(422, b'{"message": "too dark to read"}')

    async def scene() -> None:
        with misbehaving(only(lambda question: refused if dark.is_set() else describe(question))) as service:
            async with application(database_url, service) as client:
                await client.ended(await client.created())
                row = await client.used(lambda row: row["tokens"] == 7)
                assert (row["namespace"], row["requests"], row["errors"]) == ("default", 1, 0)
                assert row["key"].startswith("admin-key:")
                dark.set()
                await client.ended(await client.created())
                row = await client.used(lambda row: row["errors"] == 1)
                assert (row["requests"], row["tokens"]) == (2, 7)

    run(scene)


def test_a_task_keeps_the_tokens_that_its_request_reserved(sqlite: str, service: Misbehaving) -> None:
    """Its work is yet to come when it is answered. One that is refused gives them back."""

    async def scene() -> None:
        async with application(sqlite, service, (Quota(tokens_per_minute=100_000),)) as client:
            answer = await client.create()
            taken = 100_000 - int(answer.headers["x-ratelimit-remaining-tokens"])
            assert 0 < taken < len(answer.request.content)
            answer = await client.create({"content": "***"})
            assert answer.status_code == 400
            assert int(answer.headers["x-ratelimit-remaining-tokens"]) == 100_000 - taken

    run(scene)


def test_what_was_accepted_outlives_the_server(database_url: str) -> None:
    """One server accepts the image and stops in the middle; the next one has the same task, and does it."""
    held, may_answer = threading.Event(), threading.Event()

    async def scene() -> None:
        with misbehaving(only(lambda question: describe(question) if may_answer.is_set() else slow(held))) as service:
            async with application(database_url, service) as client:
                task_id = await client.created()
                await asyncio.to_thread(held.wait, LIMIT_S)
                reply = await client.reply(task_id)
                assert reply["result"] == {"task_id": task_id, "status": "PENDING"}
                assert reply["usage"] == {"token_count": 0, "pv_count": 0}
            may_answer.set()
            async with application(database_url) as client:
                reply = await client.ended(task_id)
                assert reply["result"]["status"] == "SUCCESS", reply

    run(scene)


def slow(held: threading.Event) -> Reply:
    """An answer that is none, late."""
    held.set()
    return Reply(pieces=(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}",), pause_s=0.7)


def test_what_the_model_says_of_an_image_it_refuses(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is the error of a failed task, after three attempts."""
    monkeypatch.setattr("embedway.jobs.run.RHYTHM", Rhythm(poll_s=0.1, backoff_s=0.05))
    with misbehaving(only(lambda question: Reply(422, b'{"message": "too dark to read"}'))) as service:

        async def scene() -> None:
            async with application(sqlite, service) as client:
                reply = await client.ended(await client.created())
                assert reply["result"]["status"] == "FAIL"
                assert "too dark to read" in reply["result"]["error"]
                assert "data" not in reply["result"]

        run(scene)
    assert times_sent(service) == 3


def test_a_cancelled_task_has_failed(sqlite: str) -> None:
    """The platform has no other word for it."""

    async def scene() -> None:
        with misbehaving(only(lambda question: slow(threading.Event()))) as service:
            async with application(sqlite, service) as client:
                task_id = await client.created()
                database = Database(sqlite)
                await database.run(partial(queue.cancel, job_id=task_id))
                await database.stop()
                assert (await client.reply(task_id))["result"] == {
                    "task_id": task_id,
                    "status": "FAIL",
                    "error": "It was cancelled.",
                }

    run(scene)


def test_a_task_belongs_to_its_workspace(sqlite: str, service: Misbehaving) -> None:
    """Elsewhere it is not found, and neither is one that never was, nor a job of another kind."""

    async def scene() -> None:
        async with application(sqlite, service) as client:
            await client.register(service, instance="mine")
            task_id = await client.created(workspace="mine")
            assert (await client.look(task_id, workspace="mine")).status_code == 200
            database = Database(sqlite)
            other = await database.run(partial(queue.add, kind="other", namespace="default", payload={}))
            await database.stop()
            for unknown in (task_id, other, "image-analyze-0", "\0", "x" * 3000):
                answer = await client.look(unknown)
                assert answer.status_code == 404, unknown
                assert answer.json()["code"] == "NotFound"
                assert "never made, or its result was removed" in answer.json()["message"]
                assert answer.headers["x-acs-request-id"] == answer.json()["request_id"]
            answer = await client.look(None)
            assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")

    run(scene)


def test_without_a_model_the_error_says_what_to_register(sqlite: str, service: Misbehaving) -> None:
    """For the platform's own ids and for others, and where a model reads no images, or is another workspace's."""

    async def scene() -> None:
        async with application(sqlite) as client:
            await client.register(service, "mine", "mine")
            for name, code in (
                (SERVICE, "ServiceIdNotExist"),
                ("mine", "ServiceIdNotExist"),
                ("texts", "InvalidParameter"),
            ):
                answer = await client.create(service=name)
                assert answer.status_code == 400
                assert answer.json()["code"] == code
                assert "Register a model of type image_analyze under this name" in answer.json()["message"]

    run(scene)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "either a url or a content. (document)"),
        ({"url": "http://example.com/a.png", "content": CONTENT}, "either a url or a content. (document)"),
        ({"content": ""}, "(document.content)"),
        ({"content": "http://example.com/a.png"}, "a content is the file in base64. (document.content)"),
        ({"url": "ftp://example.com/a.png"}, "begins with http:// or https://"),
        ({"url": "http://example.com/a.png"}, "fetches no URLs"),
        ({"content": base64.b64encode(b"%PDF-1.4").decode(), "file_type": "png"}, "not a PNG, JPEG"),
        ({"content": base64.b64encode(PNG[:200]).decode()}, "damaged or cut short"),
        ({"content": "***"}, "not valid base64"),
        ({"content": 5}, "document.content"),
        (5, "document"),
    ],
)
def test_documents_that_are_refused(sqlite: str, service: Misbehaving, document: Any, said: str) -> None:
    """At once, with the place; no task is made of them."""

    async def scene() -> None:
        async with application(sqlite, service) as client:
            answer = await client.create(document)
            assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
            assert said in answer.json()["message"]
        database = Database(sqlite)
        assert await database.run(queue.list_jobs) == []
        await database.stop()

    run(scene)


def test_too_many_tasks(sqlite: str, service: Misbehaving) -> None:
    """Clients are told to come back."""

    async def scene() -> None:
        async with application(sqlite, service) as client:
            database = Database(sqlite)

            def fill(connection: Any) -> None:
                for _ in range(queue.BOUNDS.namespace):
                    queue.add(connection, "other", "default", {})

            await database.run(fill)
            await database.stop()
            answer = await client.create()
            assert (answer.status_code, answer.json()["code"]) == (429, "Throttling.RateQuota")
            assert int(answer.headers["retry-after"]) >= 1

    run(scene)


def test_with_the_database_gone(postgres: Postgres, service: Misbehaving) -> None:
    """No task is accepted that could be lost; when the database is back, the same server goes on."""

    async def scene() -> None:
        async with application(postgres.new_database(), service) as client:
            before = await client.created()
            await client.ended(before)
            postgres.stop()
            try:
                for answer in (await client.create(), await client.look(before)):
                    assert (answer.status_code, answer.json()["code"]) == (503, "ServiceUnavailable")
            finally:
                await asyncio.to_thread(postgres.start)
            async with asyncio.timeout(LIMIT_S):
                while (await client.look(before)).status_code == 503:  # noqa: ASYNC110 -- as a client does
                    await asyncio.sleep(0.05)
            assert (await client.ended(await client.created()))["result"]["status"] == "SUCCESS"

    run(scene)
