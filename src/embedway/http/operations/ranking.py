"""The operations of Jina, Cohere and vLLM."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.http.dialects import cohere, embed, jina, vllm
from embedway.http.operation import Operation
from embedway.http.operations.parts import COHERE, DOCUMENTS, QUERY, RERANK, TEXTS, Parts


def rerank(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="rerank",
            dialect=jina.Jina(),
            method="POST",
            paths=RERANK,
            answer=jina.Rerank(parts.ranking),
            summary="Order documents by how well they answer a query (Jina, Cohere v1, vLLM)",
            task="rerank",
            body_type=jina.RerankBody,
            reply_type=jina.RerankReply,
            example={"model": "all-MiniLM-L6-v2", "query": QUERY, "documents": DOCUMENTS, "top_n": 1},
        ),
        Operation(
            name="score",
            dialect=vllm.Vllm(),
            method="POST",
            paths=("/v1/score", "/score"),
            answer=vllm.Score(parts.ranking),
            summary="Score pairs of texts in their order (vLLM)",
            task="rerank",
            body_type=vllm.ScoreBody,
            reply_type=vllm.ScoreReply,
            example={"model": "all-MiniLM-L6-v2", "text_1": QUERY, "text_2": DOCUMENTS},
        ),
    ]


def for_cohere(parts: Parts) -> Sequence[Operation]:
    answer = embed.Embed(parts.engine, parts.pictures, parts.timeout_s)
    example = {"model": "all-MiniLM-L6-v2", "texts": TEXTS, "input_type": "search_document"}
    return [
        Operation(
            name="rerankV2",
            dialect=COHERE,
            method="POST",
            paths=("/v2/rerank",),
            answer=cohere.Rerank(parts.ranking),
            summary="Order documents by how well they answer a query (Cohere v2)",
            task="rerank",
            body_type=cohere.RerankBody,
            reply_type=cohere.RerankReply,
            example={"model": "all-MiniLM-L6-v2", "query": QUERY, "documents": DOCUMENTS},
        ),
        Operation(
            name="embedV2",
            dialect=COHERE,
            method="POST",
            paths=("/v2/embed",),
            answer=answer,
            summary="Embed texts or images in one or several types of numbers (Cohere v2)",
            body_type=embed.EmbedBody,
            reply_type=embed.EmbedReply,
            example=example | {"embedding_types": ["float", "int8"]},
        ),
        Operation(
            name="embedV1",
            dialect=COHERE,
            method="POST",
            paths=("/v1/embed",),
            answer=embed.EmbedV1(answer),
            summary="Embed texts or images (Cohere v1)",
            body_type=embed.EmbedBodyV1,
            reply_type=embed.EmbedReplyV1,
            example=example,
        ),
    ]
