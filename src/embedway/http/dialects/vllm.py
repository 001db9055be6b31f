"""vLLM's score: how well texts belong together. Source: vLLM 0.33, its scoring protocol."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from embedway.errors import InvalidInput
from embedway.http.dialects.jina import ineffective
from embedway.http.dialects.openai import OpenAI, TokenUsage
from embedway.http.dialects.ranking import Ranking, check_count, choose_model
from embedway.http.exchange import Exchange
from embedway.types import RankResult, Usage

TOGETHER = 16
"""Pairs with queries of their own that are asked for at the same time."""


class ScoreBody(msgspec.Struct):
    """`queries` and `documents` are newer names of `text_1` and `text_2`. `use_activation` false asks for logits."""

    text_1: str | list[str] | None = None
    text_2: str | list[str] | None = None
    queries: str | list[str] | None = None
    documents: str | list[str] | None = None
    model: str | None = None
    use_activation: bool | None = None
    instruction: str | None = None


class ScoreRow(msgspec.Struct):
    index: int
    score: float
    object: Literal["score"] = "score"


class ScoreReply(msgspec.Struct):
    id: str
    created: int
    model: str
    data: list[ScoreRow]
    usage: TokenUsage
    object: Literal["list"] = "list"


class Vllm(OpenAI):
    """The words of OpenAI, about the second texts."""

    name = "vllm"
    items = "$.text_2"


class Score:
    """POST /score, /v1/score: one text with each of several, or several with several, pair by pair. In their order."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: ScoreBody) -> bytes:
        firsts = _texts(body.text_1, body.queries, "text_1")
        seconds = _texts(body.text_2, body.documents, "text_2")
        if len(firsts) not in (1, len(seconds)):
            raise InvalidInput(
                f"text_1 must be one text or as many as text_2, not {len(firsts)} for {len(seconds)}.", "$.text_1"
            )
        check_filled(firsts, body.text_1 if body.queries is None else body.queries)
        model = choose_model(self._ranking.engine, body.model, "rerank")
        results = await self._rank(exchange, body, model, firsts, seconds)
        usage = _sum([result.usage for result in results])
        exchange.note(dataclasses.replace(results[-1], usage=usage))
        exchange.note_ignored(instruction=ineffective(body.instruction, results[-1]))
        ranked = (one for result in results for one in sorted(result.ranked, key=lambda one: one.index))
        rows = [ScoreRow(index, one.score) for index, one in enumerate(ranked)]
        reply = ScoreReply(
            f"score-{exchange.request_id}", int(time.time()), model, rows, TokenUsage(usage.tokens, usage.tokens)
        )
        return msgspec.json.encode(reply)

    async def _rank(
        self, exchange: Exchange, body: ScoreBody, model: str, firsts: Sequence[str], seconds: Sequence[str]
    ) -> Sequence[RankResult]:
        async def ask(first: str, texts: Sequence[str], place: str = "") -> RankResult:
            try:
                async with room:
                    return await self._ranking(exchange, model, first, texts, raw=raw, instruction=body.instruction)
            except InvalidInput as error:  # in the words of this body
                raise InvalidInput(error.message, _field(error, place), None if place else error.item) from error

        raw, room = body.use_activation is False, asyncio.Semaphore(TOGETHER)
        if len(firsts) == 1:
            return [await ask(firsts[0], seconds)]
        try:
            async with asyncio.TaskGroup() as group:
                pairs = enumerate(zip(firsts, seconds, strict=True))
                asked = [group.create_task(ask(first, [second], f"[{index}]")) for index, (first, second) in pairs]
        except ExceptionGroup as errors:  # the others were given up: one failed pair fails the call
            raise errors.exceptions[0] from None
        return [task.result() for task in asked]


def _field(error: InvalidInput, place: str) -> str | None:
    if error.field == "$.query":
        return f"$.text_1{place}"
    return f"$.text_2{place}" if error.field is None and place else error.field


def check_filled(firsts: Sequence[str], given: object) -> None:
    """Raise `InvalidInput` for an empty first text: it is the query."""
    for index, text in enumerate(firsts):
        if not text:
            field = f"$.text_1[{index}]" if isinstance(given, list) else "$.text_1"
            raise InvalidInput("text_1 must not be an empty string.", field)


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        sum(one.tokens for one in usages), sum(one.cut for one in usages), sum(one.characters for one in usages)
    )


def _texts(given: str | list[str] | None, newer: str | list[str] | None, name: str) -> Sequence[str]:
    texts = newer if given is None else given
    if texts is None:
        raise InvalidInput(f"{name} is required.", f"$.{name}")
    if isinstance(texts, str):
        return [texts]
    check_count(texts, f"$.{name}")
    return texts
