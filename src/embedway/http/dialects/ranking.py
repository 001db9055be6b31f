"""What the dialects' rerank and score operations share: which model, which texts, how the engine is asked."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.engine.engine import Engine
from embedway.engine.rank import rank
from embedway.errors import InvalidInput
from embedway.http.dialects.openai import UNSPECIFIED_MODEL
from embedway.http.exchange import Exchange
from embedway.types import Priority, RankCall, RankResult, Task

MAX_DOCUMENTS = 2048


class Ranking:
    """Asks the engine for the documents' order, and notes in the reply's headers how it came about."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self.engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(
        self,
        exchange: Exchange,
        model: str,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        raw: bool | None = None,
        instruction: str | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> RankResult:
        """`top_n` None or 0 means all. Raises `InvalidInput` for an empty query or a negative `top_n`."""
        if not query:
            raise InvalidInput("query must not be an empty string.", "$.query")
        if top_n is not None and top_n < 0:
            raise InvalidInput(f"top_n must be at least 1, not {top_n}.", "$.top_n")
        call = RankCall(
            model=model,
            query=query,
            documents=documents,
            top_n=top_n or None,
            raw=raw or False,
            instruction=instruction,
            caller=exchange.caller,
            priority=priority,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await rank(self.engine, call)
        exchange.note(result)
        return result


def check_count(documents: Sequence[object], field: str) -> None:
    """Raise `InvalidInput` for no documents or too many."""
    if not 1 <= len(documents) <= MAX_DOCUMENTS:
        name = field.removeprefix("$.")
        raise InvalidInput(f"{name} must hold 1 to {MAX_DOCUMENTS} texts, not {len(documents)}.", field)


def choose_model(engine: Engine, name: str | None, task: Task) -> str:
    """The model that is asked for. Without a name: the configuration's only one for the task, else its only one.

    Raises `InvalidInput` where that does not decide.
    """
    if name and name != UNSPECIFIED_MODEL:
        return name
    models = [one for one in engine.models() if not one.spec.namespace]
    able = [one for one in models if one.facts is not None and task in one.facts.tasks] or models
    if len(able) != 1:
        raise InvalidInput("model is needed: this server has several, see GET /v1/models.", "$.model")
    return able[0].spec.name
