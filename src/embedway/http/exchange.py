"""One request being answered: its id, its clock, what its reply's headers will say."""

from __future__ import annotations

import dataclasses
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from embedway.access.apikeys import Scope
from embedway.errors import NoPermission
from embedway.types import Caller, EmbedResult, RankResult

if TYPE_CHECKING:
    from embedway.http.quota import Allowance

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
TIMEOUT_HEADER = "x-embedway-timeout-ms"


def _anywhere(workspace: str) -> bool:
    return True


def _whole(workspace: str) -> Scope:
    return Scope((workspace,))


@dataclass(slots=True)
class Exchange:
    """What operations share while they answer one request.

    `started_s` is on the clock of `time.monotonic`. `who` names the caller for the audit: the id of an access key,
    `admin-key:` and 8 hex digits of the key's SHA-256, `key:` and 8 digits for an API key of the configuration, the id
    of a stored one, or `anonymous`. `reaches` says whether the caller may enter a workspace. `lends` is how far a key
    may reach that the caller makes for a workspace, and `ends_s` when it must end, in Unix time: no further and no
    later than the caller's own. `used` are the models that answered, and the tokens that each consumed. `allowance` is
    what the request holds of its quotas; where the work `comes_later` than the answer, the tokens that were reserved
    stay taken for it.
    """

    request: Request
    request_id: str
    started_s: float
    caller: Caller = field(default_factory=Caller)
    who: str = "anonymous"
    reaches: Callable[[str], bool] = _anywhere
    lends: Callable[[str], Scope] = _whole
    ends_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    used: list[tuple[str, int]] = field(default_factory=list)
    allowance: Allowance | None = None
    comes_later: bool = False
    body_unread: bool = False

    @classmethod
    def begin(cls, request: Request) -> Exchange:
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4()).upper()
        return cls(request, request_id, time.monotonic())

    def enter(self, workspace: str) -> None:
        """The caller's names mean those of this workspace from now on. Raises `NoPermission`."""
        if not self.reaches(workspace):
            raise NoPermission(f"Your key or its permissions do not reach the workspace '{workspace[:200]}'.")
        self.caller = dataclasses.replace(self.caller, namespace=workspace)

    @property
    def elapsed_ms(self) -> int:
        return int((time.monotonic() - self.started_s) * 1000)

    def deadline_s(self, limit_s: float) -> float:
        """When the answer is no longer wanted: the server's limit, or the caller's own where that is shorter."""
        given = self.request.headers.get(TIMEOUT_HEADER, "")
        if given.isascii() and given.isdecimal() and len(given) < 10:
            limit_s = min(limit_s, int(given) / 1000)
        return self.started_s + limit_s

    def note(self, result: EmbedResult | RankResult) -> None:
        """The timing headers under the names of text-embeddings-inference (milliseconds), and Embedway's own."""
        timings, usage = result.timings, result.usage
        self.used.append((result.model, usage.tokens))
        self.headers |= {
            "x-compute-type": "cpu",
            "x-compute-time": str(int((timings.prepare_s + timings.queue_s + timings.run_s) * 1000)),
            "x-compute-characters": str(usage.characters),
            "x-compute-tokens": str(usage.tokens),
            "x-tokenization-time": str(int(timings.prepare_s * 1000)),
            "x-queue-time": str(int(timings.queue_s * 1000)),
            "x-inference-time": str(int(timings.run_s * 1000)),
        }
        if usage.cut:
            self.headers["x-embedway-truncated"] = str(usage.cut)
        if result.stand_in:
            self.headers["x-embedway-stand-in"] = result.model
        if isinstance(result, RankResult):
            self.headers["x-embedway-ranker"] = result.ranker
        elif result.lexical:
            self.headers["x-embedway-sparse"] = "bm25"

    def note_ignored(self, **given: object) -> None:
        """Name the fields of the body that have a value and no effect."""
        named = [name for name, value in given.items() if value is not None]
        if named:
            self.headers["x-embedway-ignored"] = ", ".join(named)
