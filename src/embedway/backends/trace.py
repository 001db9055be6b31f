"""One question to a remote model, and all that came of it: for debugging a definition and for probing a service."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedway.backends.remote_answer import Setback, find, read, share
from embedway.backends.remote_definition import Definition, PhaseName
from embedway.errors import EmbedwayError
from embedway.types import Outputs, RemoteSpec

ANSWER_CHARACTERS = 20_000
"""Of an answer that are shown."""
MOST_BYTES = 4 * 2**20
"""Of an answer that are read."""
SHOWN_DEPTH = 50
_SHOWN = ("accept", "content-type", "user-agent")
_MASK = "********"


@dataclass(frozen=True, slots=True)
class Trace:
    """What was sent, what came back and what the JSONPath found there.

    `headers`, `answer` and `found` hold no secrets. The answer is cut; that of a task that was waited for is its last.
    `status` is 0 where none came. `found` is what the JSONPath leads to, `outputs` what it means; `problem` says in one
    sentence why there are none.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: int = 0
    answer: str = ""
    found: Sequence[Any] = ()
    latency_ms: int = 0
    problem: str | None = None
    outputs: Sequence[Outputs] = ()


async def ask(remote: RemoteSpec, given: str, phase: PhaseName) -> Trace:
    """Send `given` as the template's input once, without another attempt. Never raises for what the service does, nor
    for a definition that cannot be used.
    """
    trace = Trace(remote.method, remote.url.strip())
    try:
        definition = Definition(remote)
        body = definition.body(phase, [given])
    except EmbedwayError as error:
        return dataclasses.replace(trace, problem=error.message)
    trace = dataclasses.replace(
        trace, url=definition.address(phase), headers=_masked(definition.headers), body=body.decode()
    )
    return await _follow(definition, phase, body, trace)


async def _follow(definition: Definition, phase: PhaseName, body: bytes, trace: Trace) -> Trace:
    from embedway.backends.remote_service import Service

    remote, started_s = definition.remote, time.monotonic()
    until_s = started_s + remote.timeout_s * max(1, remote.attempts)
    async with Service(definition, connections=1, most_bytes=MOST_BYTES) as service:
        try:
            answer = await service.send(trace.url, body, until_s)
            trace = dataclasses.replace(
                trace, status=answer.status, answer=_shown(definition, answer.body), latency_ms=_ms_since(started_s)
            )
            first = await asyncio.to_thread(service.judge, answer)
            value = await service.wait(first, phase, until_s)
            if value is not first:
                shown = await asyncio.to_thread(lambda: _shown(definition, _dump(_clean(definition, value))))
                trace = dataclasses.replace(trace, answer=shown)
            found = await asyncio.to_thread(find, definition.path, value, 1)
            clean = await asyncio.to_thread(lambda: [_clean(definition, one) for one in found])
            trace = dataclasses.replace(trace, found=clean)
            trace = dataclasses.replace(trace, outputs=[await asyncio.to_thread(_read, definition, found, value)])
        except Setback as setback:
            trace = dataclasses.replace(trace, problem=sentence(definition, setback))
    return dataclasses.replace(trace, latency_ms=_ms_since(started_s))


def _read(definition: Definition, found: Sequence[Any], value: Any) -> Outputs:
    (outputs,) = read(definition.remote.kind, definition.remote.dimensions, found, 1)
    (tokens,) = share(value, [1])
    return dataclasses.replace(outputs, used_tokens=tokens)


def sentence(definition: Definition, setback: Setback) -> str:
    """What happened, for everyone."""
    return f"The remote service {definition.host[:200]} {setback.said.rstrip('.')}."


def _ms_since(started_s: float) -> int:
    return round((time.monotonic() - started_s) * 1000)


def _dump(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value)


def _shown(definition: Definition, body: bytes) -> str:
    longest = 6 * ANSWER_CHARACTERS
    return definition.scrub(body[:longest].decode("utf-8", "replace"), cut=True)[:ANSWER_CHARACTERS]


def _clean(definition: Definition, value: Any, depth: int = 0) -> Any:
    """A value of the answer without secrets in its texts, and without what is nested too deeply to be shown."""
    if depth > SHOWN_DEPTH:
        return None
    if isinstance(value, dict):
        return {definition.scrub(key): _clean(definition, one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_clean(definition, one, depth + 1) for one in value]
    return definition.scrub(value) if isinstance(value, str) else value


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as the vendor's document shows them: `Bearer OS-v0********6vvs`."""
    return {name: value if name in _SHOWN else mask(value) for name, value in headers.items()}


def mask(value: str) -> str:
    """A secret by its ends; one that is short, not at all. A scheme in front of it is left."""
    scheme, space, secret = value.rpartition(" ")
    shown = f"{secret[:5]}{_MASK}{secret[-4:]}" if len(secret) >= 18 else _MASK
    return f"{scheme}{space}{shown}" if scheme.lower() in ("bearer", "basic", "token", "apikey") else shown
