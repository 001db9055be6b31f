"""The job that puts an image into words, by a model that does so."""

from __future__ import annotations

import time
from typing import Any

import pybase64

from embedway.engine.engine import Engine
from embedway.errors import ModelFailed, ModelNotFound, Unavailable
from embedway.jobs.job import Job
from embedway.jobs.report import Report
from embedway.types import Caller, EmbedCall, Image, Output, Priority

LIMIT_S = 300.0
"""For one attempt, the wait for the model included."""


def make_payload(model: str, flow: str, who: str, image: Image) -> dict[str, str]:
    """What the job needs to know: the model's name, as the job's namespace knows it, who asks, and the picture. `flow`
    is who asks for the engine, `who` for the usage.
    """
    return {"model": model, "flow": flow, "who": who, "image": pybase64.b64encode(image.data).decode("ascii")}


class Analysis:
    """The result is `{"content": text, "tokens": int}`."""

    def __init__(self, engine: Engine, limit_s: float = LIMIT_S) -> None:
        self._engine = engine
        self._limit_s = limit_s

    async def __call__(self, job: Job, report: Report) -> dict[str, Any]:
        given = job.payload
        call = EmbedCall(
            model=given["model"],
            items=[Image(pybase64.b64decode(given["image"], validate=True), outputs=Output.CONTENT)],
            caller=Caller(flow=given["flow"], namespace=job.namespace),
            priority=Priority.BULK,
            deadline_s=time.monotonic() + self._limit_s,
        )
        try:
            result = await self._engine.embed(call)
        except ModelNotFound as error:  # it was there when the job was accepted, and at a start it comes after the jobs
            raise Unavailable(error.message) from error
        content = result.outputs[0].content
        if content is None:
            raise ModelFailed(f"The model '{result.model}' said nothing of the image.")
        return {"content": content, "tokens": result.usage.tokens}
