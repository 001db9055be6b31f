"""Ordering documents by how well they answer a query, with whatever a model gives.

A cross-encoder reads each pair. A model with token vectors is asked by late interaction: the query is encoded once,
then each document. A model with dense vectors alone is asked for cosines. The last two work with any embedder, and the
result's `ranker` says so: such a model was trained to find documents, not to order them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput, Unavailable
from embedway.types import (
    EmbedCall,
    EmbedResult,
    Facts,
    Item,
    Output,
    Pair,
    RankCall,
    Ranked,
    Ranker,
    RankResult,
    Text,
    Timings,
    Usage,
)
from embedway.vectors import Floats, activate, unit_rows

Scored = tuple[Floats, EmbedResult]
"""A score for each document, float32 `[documents]`, and the result with their usage."""


async def rank(engine: Engine, call: RankCall) -> RankResult:
    """The documents' scores, best first.

    A score lies in [0, 1]: the sigmoid of a cross-encoder's logit; the mean largest cosine of late interaction, or the
    cosine of two vectors, where what is below 0 counts as 0. Raises what `Engine.embed` raises, and `InvalidInput` for
    a model that can rank nothing.
    """
    ranker = choose_ranker(_facts(engine, call))
    scores, result = await _RANKERS[ranker](engine, call)
    if not call.raw:
        scores = activate(scores, "sigmoid") if ranker == "cross-encoder" else np.clip(scores, 0.0, 1.0)
    best = np.argsort(-scores, kind="stable")[: call.top_n]
    ranked = [Ranked(int(index), float(scores[index])) for index in best]
    return RankResult(result.model, ranked, ranker, result.usage, result.timings, result.stand_in)


def choose_ranker(facts: Facts) -> Ranker:
    """What a model can rank by. Raises `InvalidInput`."""
    if "rerank" in facts.tasks:
        return "cross-encoder"
    if Output.TOKENS in facts.outputs:
        return "late-interaction" if facts.token_head else "embedder-late-interaction"
    if Output.DENSE in facts.outputs:
        return "embedder-cosine"
    raise InvalidInput("This model classifies texts; it ranks nothing: choose a reranker or an embedder.", "$.model")


def _facts(engine: Engine, call: RankCall) -> Facts:
    status = engine.find(call.model, call.caller)
    if status.facts is None:
        raise Unavailable(f"The model '{status.spec.name}' is not ready ({status.reason}): try again soon.")
    return status.facts


async def _read_pairs(engine: Engine, call: RankCall) -> Scored:
    pairs = [Pair(call.query, document, call.instruction) for document in call.documents]
    result = await engine.embed(_embed(call, pairs))
    return _scores(result), result


async def _compare_tokens(engine: Engine, call: RankCall) -> Scored:
    query = await _read_query(engine, call, Output.TOKENS)
    documents = _embed(call, [Text(text, "document", Output.TOKENS) for text in call.documents])
    result = await engine.embed(dataclasses.replace(documents, compare_with=query.outputs[0].tokens))
    return _scores(result), _together(query, result)


async def _compare_vectors(engine: Engine, call: RankCall) -> Scored:
    query = await _read_query(engine, call, Output.DENSE)
    result = await engine.embed(_embed(call, [Text(text, "document") for text in call.documents]))
    vectors = unit_rows(np.stack([*query.vectors, *result.vectors]))
    return vectors[1:] @ vectors[0], _together(query, result)


async def _read_query(engine: Engine, call: RankCall, output: Output) -> EmbedResult:
    try:
        return await engine.embed(_embed(call, [Text(call.query, "query", output)]))
    except InvalidInput as error:  # its item is not one of the documents
        raise InvalidInput(error.message, "$.query") from error


def _embed(call: RankCall, items: Sequence[Item]) -> EmbedCall:
    return EmbedCall(call.model, items, caller=call.caller, priority=call.priority, deadline_s=call.deadline_s)


def _scores(result: EmbedResult) -> Floats:
    return np.array([outputs.scores[0] for outputs in result.outputs if outputs.scores is not None], dtype=np.float32)


def _together(first: EmbedResult, second: EmbedResult) -> EmbedResult:
    """The second result, with what both took. Raises `Unavailable` where two versions of the model answered."""
    if first.facts != second.facts:
        raise Unavailable(f"The model '{second.model}' was replaced while it answered: try again.")
    usage = Usage(
        first.usage.tokens + second.usage.tokens,
        first.usage.cut + second.usage.cut,
        first.usage.characters + second.usage.characters,
    )
    one, two = first.timings, second.timings
    timings = Timings(one.prepare_s + two.prepare_s, one.queue_s + two.queue_s, one.run_s + two.run_s)
    return dataclasses.replace(second, usage=usage, timings=timings)


_RANKERS: Mapping[Ranker, Callable[[Engine, RankCall], Awaitable[Scored]]] = {
    "cross-encoder": _read_pairs,
    "late-interaction": _compare_tokens,
    "embedder-late-interaction": _compare_tokens,
    "embedder-cosine": _compare_vectors,
}
