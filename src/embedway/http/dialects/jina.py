"""Rerank as Jina and Cohere's v1 have it, and vLLM behind both paths.

Sources: Jina AI's Reranker API; Cohere's API reference v1, "Rerank"; vLLM 0.33's rerank for what it adds. The reply
holds what each of their clients looks for. Errors are OpenAI's, which all three clients read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from embedway.errors import InvalidInput
from embedway.http.dialects.openai import OpenAI, TokenUsage
from embedway.http.dialects.ranking import Ranking, check_count, choose_model
from embedway.http.exchange import Exchange
from embedway.types import RankResult

DOCUMENTS_A_UNIT = 100
"""Cohere counts a query with up to so many documents as one search unit."""


class TextDocument(msgspec.Struct):
    text: str


class RerankBody(msgspec.Struct):
    """`instruction` is vLLM's. `rank_fields` may name the field `text` only."""

    query: str
    documents: list[str | TextDocument]
    model: str | None = None
    top_n: int | None = None
    return_documents: bool | None = None
    instruction: str | None = None
    rank_fields: list[str] | None = None
    max_tokens_per_doc: int | None = None
    max_chunks_per_doc: int | None = None


class RankedRow(msgspec.Struct, omit_defaults=True):
    index: int
    relevance_score: float
    document: TextDocument | None = None


class ApiVersion(msgspec.Struct):
    version: str


class BilledUnits(msgspec.Struct):
    search_units: int


class InputTokens(msgspec.Struct):
    input_tokens: int


class Meta(msgspec.Struct):
    """Nothing is billed here: `billed_units` counts as Cohere would."""

    api_version: ApiVersion
    billed_units: BilledUnits
    tokens: InputTokens


class RerankReply(msgspec.Struct):
    id: str
    model: str
    results: list[RankedRow]
    usage: TokenUsage
    meta: Meta
    object: Literal["list"] = "list"


class Jina(OpenAI):
    """The words of OpenAI, about documents."""

    name = "jina"
    items = "$.documents"


class Rerank:
    """POST /v1/rerank, /rerank. Documents are given back unless the caller says no, as Jina and vLLM do."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    async def __call__(self, exchange: Exchange, body: RerankBody) -> bytes:
        model = choose_model(self._ranking.engine, body.model, "rerank")
        if body.rank_fields not in (None, [], ["text"]):
            raise InvalidInput("rank_fields may name the field text only: put what counts there.", "$.rank_fields")
        texts = read_documents(body.documents)
        result = await self._ranking(exchange, model, body.query, texts, top_n=body.top_n, instruction=body.instruction)
        exchange.note_ignored(
            instruction=ineffective(body.instruction, result),
            max_tokens_per_doc=body.max_tokens_per_doc,
            max_chunks_per_doc=body.max_chunks_per_doc,
        )
        reply = RerankReply(
            id=exchange.request_id,
            model=model,
            results=rows(result, None if body.return_documents is False else texts),
            usage=TokenUsage(result.usage.tokens, result.usage.tokens),
            meta=meta("1", len(texts), result),
        )
        return msgspec.json.encode(reply)


def read_documents(documents: Sequence[str | TextDocument]) -> Sequence[str]:
    """The documents' texts. Raises `InvalidInput` for none or too many."""
    check_count(documents, "$.documents")
    return [one if isinstance(one, str) else one.text for one in documents]


def rows(result: RankResult, texts: Sequence[str] | None) -> list[RankedRow]:
    """Best first; with their documents where `texts` are given."""
    return [
        RankedRow(one.index, one.score, TextDocument(texts[one.index]) if texts is not None else None)
        for one in result.ranked
    ]


def meta(version: str, documents: int, result: RankResult) -> Meta:
    """What Cohere says of a call; `documents` is their number."""
    units = -(-documents // DOCUMENTS_A_UNIT)
    return Meta(ApiVersion(version), BilledUnits(units), InputTokens(result.usage.tokens))


def ineffective(instruction: str | None, result: RankResult) -> str | None:
    """The instruction, where the model has no place for one."""
    return None if result.ranker == "cross-encoder" else instruction
