"""What a client script found: for each question the value that came back, or the exception that was raised."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

# What exceptions carry, where they have it.
FACTS = ("status_code", "code", "param", "type", "request_id", "message", "data", "body")


class Report:
    """Answers by name. `ask` and `await_` never raise: a refusal is an answer too."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, call: Callable[[], Any]) -> None:
        """Make a call and keep what it returns or raises."""
        try:
            self.answers[name] = call()
        except Exception as error:
            self.answers[name] = raised(error)

    def await_(self, name: str, call: Callable[[], Awaitable[Any]]) -> None:
        """Make an asynchronous call, in an event loop of its own, and keep what it returns or raises."""

        async def run() -> Any:
            return await call()

        self.ask(name, lambda: asyncio.run(run()))

    def print(self) -> None:
        """Print everything as one JSON object, on one line, the last of the output."""
        print(json.dumps(self.answers, default=str))


def raised(error: Exception) -> dict[str, Any]:
    """Return the facts of an exception."""
    facts = {name: getattr(error, name) for name in FACTS if hasattr(error, name)}
    return {"raised": type(error).__name__, "text": str(error), **facts}
