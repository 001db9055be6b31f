"""What work says of itself while it runs, from any thread; the worker writes it to the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from embedway.jobs.job import MOST_LINES


class JobEnded(Exception):
    """The job is not this run's any more: it was cancelled, or taken over, or the server stops. Work ends with it."""


class Report:
    """How far a job is, and its log. Both reach the store with the next look of the worker."""

    def __init__(self, done: float = 0.0) -> None:
        self.done = done
        self.ended = False
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    def progress(self, done: float) -> None:
        """How much is done, as a share in [0, 1]. Raises `JobEnded`."""
        self.check()
        self.done = min(1.0, max(0.0, done))

    def line(self, text: str) -> None:
        """Add a line to the job's log. Raises `JobEnded`."""
        self.check()
        self._lines.append(text)

    def check(self) -> None:
        """Raise `JobEnded` where going on is in vain. Work on a thread calls this now and then; what awaits is
        cancelled anyway.
        """
        if self.ended:
            raise JobEnded

    # For the worker ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Let the next `check` raise."""
        self.ended = True

    def take_lines(self) -> Sequence[str]:
        """The lines since the last time."""
        return [self._lines.popleft() for _ in range(len(self._lines))]

    def put_back(self, lines: Sequence[str]) -> None:
        """They could not be written: keep them for the next time."""
        self._lines.extendleft(reversed(lines))
