"""AI Search Open Platform: sparse text embedding and reranking by service id.

Source: Alibaba Cloud help, "Text sparse embedding" and "Document ranking" of the AI Search Open Platform, and its
Python SDK (searchplat20240529).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput
from embedway.http.dialects.opensearch import MAX_INPUTS, TokenCount, enclose, read_items, read_service
from embedway.http.dialects.ranking import Ranking, check_count
from embedway.http.exchange import Exchange
from embedway.types import Caller, EmbedCall, EmbedResult, Output, Sparse


class SparseBody(msgspec.Struct):
    input: str | list[str]
    input_type: str | None = None
    return_token: bool | None = None


class Term(msgspec.Struct, omit_defaults=True):
    token_id: int
    weight: float
    token: str | None = None


class SparseRow(msgspec.Struct):
    index: int
    embedding: list[Term]


class SparseRows(msgspec.Struct):
    sparse_embeddings: list[SparseRow]


class SparseReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: TokenCount
    result: SparseRows


class RankerBody(msgspec.Struct):
    """`options` is an extension: `raw_scores` asks for what the model gives, before it is brought into 0 to 1."""

    query: str
    docs: list[str]
    options: dict[str, bool] | None = None


class Score(msgspec.Struct):
    index: int
    score: float


class Scores(msgspec.Struct):
    scores: list[Score]


class DocumentCount(msgspec.Struct):
    doc_count: int


class RankerReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: DocumentCount
    result: Scores


class SparseEmbedding:
    """POST /v3/openapi/workspaces/{workspace}/text-sparse-embedding/{service_id}."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self._engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: SparseBody) -> bytes:
        service_id = read_service(exchange, self._engine)
        texts = read_items(body.input, body.input_type, MAX_INPUTS)
        call = EmbedCall(
            model=service_id,
            items=[dataclasses.replace(text, outputs=Output.SPARSE) for text in texts],
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        spelled = await self._spell(service_id, result, exchange.caller) if body.return_token else {}
        rows = [
            {"index": index, "embedding": terms(outputs.sparse, spelled)}
            for index, outputs in enumerate(result.outputs)
            if outputs.sparse is not None
        ]
        return enclose(exchange, {"token_count": result.usage.tokens}, {"sparse_embeddings": rows})

    async def _spell(self, model: str, result: EmbedResult, caller: Caller) -> Mapping[int, str]:
        ids = sorted({number for one in result.outputs if one.sparse for number in one.sparse.ids.tolist()})
        return dict(zip(ids, await self._engine.spell(model, ids, caller), strict=True))


class Ranker:
    """POST /v3/openapi/workspaces/{workspace}/ranker/{service_id}: best first."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: RankerBody) -> bytes:
        service_id = read_service(exchange, self._ranking.engine)
        check_documents(body.docs)
        raw = (body.options or {}).get("raw_scores")
        result = await self._ranking(exchange, service_id, body.query, body.docs, raw=raw)
        scores = [{"index": one.index, "score": one.score} for one in result.ranked]
        return enclose(exchange, {"doc_count": len(body.docs)}, {"scores": scores})


def check_documents(documents: Sequence[str]) -> None:
    """Raise `InvalidInput` for no documents, too many, or an empty one."""
    check_count(documents, "$.docs")
    for index, text in enumerate(documents):
        if not text:
            raise InvalidInput("Empty strings are not accepted.", f"$.docs[{index}]")


def terms(sparse: Sparse, spelled: Mapping[int, str]) -> list[dict[str, object]]:
    """In the order in which they first stand in the text, else heaviest first."""
    order = sparse.order if sparse.order is not None else (-sparse.weights).argsort(kind="stable")
    rows: list[dict[str, object]] = []
    for place in order.tolist():
        number = int(sparse.ids[place])
        row: dict[str, object] = {"token_id": number, "weight": sparse.weights[place]}
        rows.append(row | {"token": spelled[number]} if spelled else row)
    return rows
