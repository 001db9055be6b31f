"""Asking a remote model's service: one request, its answer, and the platform's tasks that are to be waited for.

Source of the tasks' form: Alibaba Cloud help, AI Search Open Platform, "Image content extraction".
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import orjson

from embedway.backends.remote_answer import Cause, Setback, find, most_bytes, parse, read, share
from embedway.backends.remote_definition import Definition, PhaseName
from embedway.egress import Refused
from embedway.egress.send import Sender
from embedway.egress.wire import Answer, Broken, TooLarge
from embedway.types import Outputs

LATE = "did not answer in time"
QUOTED_CHARACTERS = 300
"""Of what the service says itself."""
POLL_S = (0.2, 2.0)
"""Between two looks at a task: at first, and at most."""
_CAUSES: Mapping[int, Cause] = {
    400: "input",
    408: "down",
    413: "input",
    422: "input",
    429: "throttled",
    500: "broken",
}
_MESSAGE_DEPTH = 8
_MESSAGES = ("message", "error", "detail", "msg", "errors")


class Service:
    """The service behind a definition. Lives on one event loop. Whatever goes wrong is a `Setback`."""

    def __init__(self, definition: Definition, connections: int, most_bytes: int | None = None) -> None:
        """`most_bytes` of one answer, where they are fewer than its kind may have."""
        self.definition = definition
        self._most_bytes = most_bytes
        self._sender = Sender(definition.remote.private, connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._sender.close()

    async def ask(self, phase: PhaseName, inputs: Sequence[str], costs: Sequence[int], until_s: float) -> list[Outputs]:
        """The outputs of inputs that go in one request; `until_s` is on the monotonic clock."""
        body = self.definition.body(phase, inputs)
        value = self.judge(await self.send(self.definition.address(phase), body, until_s, len(inputs)))
        value = await self.wait(value, phase, until_s)
        outputs = self.read(value, len(inputs))
        shares = share(value, costs)
        return [
            one if tokens is None else dataclasses.replace(one, used_tokens=tokens)
            for one, tokens in zip(outputs, shares, strict=True)
        ]

    async def send(self, url: str, body: bytes | None, until_s: float, count: int = 1) -> Answer:
        """One attempt, for `count` inputs, whatever its status; without a body it is a GET."""
        remote, headers = self.definition.remote, self.definition.headers
        if body is None:
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        limit = self._limit(count)
        limit_s = max(0.0, min(remote.timeout_s, until_s - time.monotonic()))
        try:
            async with asyncio.timeout(limit_s):
                method = remote.method if body is not None else "GET"
                return await self._sender.send(method, url, headers, body, limit)
        except TimeoutError as error:
            if limit_s < remote.timeout_s:
                raise Setback("late", LATE) from error
            raise Setback("down", f"did not answer within {limit_s:g} s") from error
        except TooLarge as error:
            raise Setback("answer", f"gives an answer of more than {limit / 2**20:.3g} MiB") from error
        except Refused as error:
            raise Setback("refused", f"is not asked: {error}") from error
        except Broken as error:
            raise Setback("down", str(error)) from error

    def _limit(self, count: int) -> int:
        limit = most_bytes(self.definition.remote.dimensions, count)
        return limit if self._most_bytes is None else min(limit, self._most_bytes)

    def judge(self, answer: Answer) -> Any:
        """The values of an answer that is a success."""
        if not answer.ok:
            raise self._complaint(answer)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise Setback("answer", "gives a compressed answer, which nobody asked for")
        return parse(answer.body)

    def read(self, value: Any, count: int) -> list[Outputs]:
        remote = self.definition.remote
        return read(remote.kind, remote.dimensions, find(self.definition.path, value, count), count)

    async def wait(self, value: Any, phase: PhaseName, until_s: float) -> Any:
        """The answer itself, or what the task that it names has come to."""
        task = _task(value) if self.definition.remote.kind == "image_analyze" else None
        if task is None:
            return value
        url, pause_s = self.definition.status_address(phase, task), POLL_S[0]
        while (status := _status(value)) in (None, "PENDING"):
            if time.monotonic() + pause_s >= until_s:
                raise Setback("answer", "did not finish the task in time")
            await asyncio.sleep(pause_s)
            pause_s = min(POLL_S[1], pause_s * 1.5)
            try:
                value = await asyncio.to_thread(self.judge, await self.send(url, None, until_s))
            except Setback as setback:
                if not setback.passing:
                    raise
        if status != "SUCCESS":
            said = self.definition.quote(_say(value["result"].get("error")), QUOTED_CHARACTERS)
            raise Setback("answer", f"says that the task failed{f': {said}' if said else ''}")
        return value

    def _complaint(self, answer: Answer) -> Setback:
        """What an answer means that is no success."""
        status = answer.status
        if status in (401, 403):
            return Setback("refused", f"refuses the credentials (status {status})")
        if 300 <= status < 400:
            return Setback("refused", f"redirects with status {status}, which is not followed")
        said = self.definition.quote(_message(answer), QUOTED_CHARACTERS)
        cause = _CAUSES.get(status, "down" if status >= 500 else "refused")
        retry_after_s = _read_pause(answer.headers.get("retry-after")) if status in (429, 503) else None
        return Setback(cause, f"answers with status {status}{f': {said}' if said else ''}", retry_after_s)


def _task(value: Any) -> str | None:
    """The id of the task in the platform's answer, if it is one."""
    result = value.get("result") if isinstance(value, dict) else None
    task = result.get("task_id") if isinstance(result, dict) else None
    return task if isinstance(task, str) and 0 < len(task) <= 500 else None


def _status(value: Any) -> str | None:
    result = value.get("result") if isinstance(value, dict) else None
    status = result.get("status") if isinstance(result, dict) else None
    return status if isinstance(status, str) else None


def _message(answer: Answer) -> str:
    """What an error's body says: the message of the usual JSON forms, else the body itself, where it is plain text."""
    try:
        return _say(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        plain = answer.headers.get("content-type", "text/plain").startswith("text/plain")
        return answer.body.decode("utf-8", "replace") if plain else ""


def _say(value: Any) -> str:
    for _ in range(_MESSAGE_DEPTH):
        if isinstance(value, dict):
            value = next((value[name] for name in _MESSAGES if value.get(name)), "")
        elif isinstance(value, list):
            value = value[0] if value else ""
    return value if isinstance(value, str) else ""


def _read_pause(given: str | None) -> float | None:
    """Seconds of a Retry-After, RFC 9110 §10.2.3: a number, or a date."""
    if given is None:
        return None
    if given.isdecimal():
        return float(given[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
