"""AI Search Open Platform: images put into words by service id, as tasks that a caller asks after.

Source: Alibaba Cloud help, "Image content extraction" of the AI Search Open Platform, and its Python SDK
(searchplat20240529: CreateImageAnalyzeTask, GetImageAnalyzeTaskStatus).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from embedway.access.usage import UsageLog
from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, JobNotFound, ModelNotFound
from embedway.http.dialects.opensearch import MAX_BODY_BYTES, enclose, read_service
from embedway.http.dialects.pictures import Pictures, is_url
from embedway.http.exchange import Exchange
from embedway.jobs.analysis import make_payload
from embedway.jobs.job import Job, Status
from embedway.jobs.jobs import IMAGE_ANALYZE, Jobs
from embedway.models.images import read_image
from embedway.models.services import REGISTER
from embedway.types import Image, Output

if TYPE_CHECKING:  # it imports the database, which comes later
    from embedway.jobs.run import Outcome

MAX_IMAGE_BYTES = MAX_BODY_BYTES // 4 * 3
"""An image that was fetched may be as large as one that fits into a body."""
CHECKED_TOGETHER = 2
"""Images, of all requests: each may take 200 MB while it is decoded."""

TaskState = Literal["PENDING", "SUCCESS", "FAIL"]
_STATES: dict[Status, TaskState] = {
    "pending": "PENDING",
    "running": "PENDING",
    "success": "SUCCESS",
    "failed": "FAIL",
    "cancelled": "FAIL",
}


class Document(msgspec.Struct):
    """An image: `url`, or `content` in base64. Its type is read from its bytes."""

    url: str | None = None
    content: str | None = None
    file_name: str | None = None
    file_type: str | None = None


class AnalyzeBody(msgspec.Struct):
    document: Document


class Task(msgspec.Struct):
    task_id: str


class AnalyzeReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: dict[str, int]
    result: Task


class PageCount(msgspec.Struct):
    token_count: int
    pv_count: int


class TaskData(msgspec.Struct):
    content: str
    content_type: str
    page_num: int


class TaskResult(msgspec.Struct, omit_defaults=True):
    task_id: str
    status: TaskState
    error: str | None = None
    data: TaskData | None = None


class TaskReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: PageCount
    result: TaskResult


class ImageAnalyze:
    """POST /v3/openapi/workspaces/{workspace}/image-analyze/{service_id}/async."""

    def __init__(self, engine: Engine, pictures: Pictures, jobs: Jobs) -> None:
        self._engine = engine
        self._pictures = pictures
        self._jobs = jobs
        self._room = asyncio.Semaphore(CHECKED_TOGETHER)

    async def __call__(self, exchange: Exchange, body: AnalyzeBody) -> bytes:
        service_id = self._find(exchange)
        image = await self._read(body.document)
        payload = make_payload(service_id, exchange.caller.flow, exchange.who, image)
        task_id = await self._jobs.add(IMAGE_ANALYZE, exchange.caller.namespace, payload)
        exchange.used.append((service_id, 0))  # the tokens are counted when the task has ended
        exchange.comes_later = True
        return enclose(exchange, {}, {"task_id": task_id})

    def _find(self, exchange: Exchange) -> str:
        """The service, if a model that reads images answers for it. Raises `ModelNotFound`, `InvalidInput`."""
        try:
            service_id = read_service(exchange, self._engine)
        except ModelNotFound as error:
            raise ModelNotFound(f"{error.message} {REGISTER}", error.name) from error
        facts = self._engine.find(service_id, exchange.caller).facts
        if facts is not None and Output.CONTENT not in facts.outputs:
            raise InvalidInput(f"The model '{service_id}' puts no images into words. {REGISTER}")
        return service_id

    async def _read(self, document: Document) -> Image:
        """The picture, whole and within the limits. Raises `InvalidInput`."""
        if (document.url is None) == (document.content is None):
            raise InvalidInput("A document needs either a url or a content.", "$.document")
        given, field = document.url or document.content or "", f"$.document.{'url' if document.url else 'content'}"
        if is_url(given) != (document.url is not None):
            raise InvalidInput("A url begins with http:// or https://, and a content is the file in base64.", field)
        image = await self._pictures.read(given, field)
        if len(image.data) > MAX_IMAGE_BYTES:
            raise InvalidInput(f"The image has more than {MAX_IMAGE_BYTES:,} bytes: send a smaller one.", field)
        try:
            async with self._room:
                await asyncio.to_thread(read_image, image.data)
        except InvalidInput as error:
            raise InvalidInput(error.message, field) from error
        return image


class ImageAnalyzeStatus:
    """GET /v3/openapi/workspaces/{workspace}/image-analyze/{service_id}/async/task-status?task_id=…"""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    async def __call__(self, exchange: Exchange, body: None) -> bytes:
        task_id = exchange.request.query_params.get("task_id")
        if not task_id:
            raise InvalidInput("task_id is required.", "$.task_id")
        try:
            job = await self._jobs.find(task_id, exchange.caller.namespace)
        except JobNotFound as error:
            raise JobNotFound(_unknown(task_id)) from error
        if job.kind != IMAGE_ANALYZE:
            raise JobNotFound(_unknown(task_id))
        usage, result = show(job)
        reply = TaskReply(exchange.request_id, exchange.elapsed_ms, usage, result)
        return msgspec.json.encode(reply)


def count_task(usage: UsageLog, job: Job, outcome: Outcome, result: Any) -> None:
    """Count the tokens of a task that a worker has ended, or its failure, with who asked for it."""
    if job.kind == IMAGE_ANALYZE and outcome in ("success", "failed"):
        tokens, given = result["tokens"] if outcome == "success" else 0, job.payload
        usage.add_later(given["who"], job.namespace, given["model"], tokens, failed=outcome == "failed")


def show(job: Job) -> tuple[PageCount, TaskResult]:
    """A job in the platform's words. An image is one page."""
    result = TaskResult(job.id, _STATES[job.status])
    if result.status == "SUCCESS":
        result.data = TaskData(job.result["content"], "text", 1)
        return PageCount(job.result["tokens"], 1), result
    if result.status == "FAIL":
        result.error = job.error
    return PageCount(0, 0), result


def _unknown(task_id: str) -> str:
    return f"The workspace has no task '{task_id[:100]}': it was never made, or its result was removed."
