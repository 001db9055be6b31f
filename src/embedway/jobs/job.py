"""What a job is. No database here, so that whoever asks for jobs can be there before one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["pending", "running", "success", "failed", "cancelled"]
UNDONE: tuple[Status, ...] = ("pending", "running")
MOST_LINES = 1000
"""In the log of one job; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Job:
    """`payload` and `result` are JSON values; the payload goes when the job ends.

    `progress` is a share in [0, 1]. `attempts` counts the claims, this one included: the failure of the last of
    `max_attempts` is final. `claim` names the claim under which it runs.
    """

    id: str
    kind: str
    namespace: str
    status: Status
    payload: Any
    result: Any
    error: str | None
    progress: float
    attempts: int
    max_attempts: int
    run_after_s: float
    created_s: float
    updated_s: float
    claim: str | None = None
