"""The operations of OpenAI and Infinity."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.http.dialects import infinity
from embedway.http.dialects.embeddings import Embeddings, EmbeddingsBody, EmbeddingsReply
from embedway.http.dialects.openai import ModelList, ModelRow, Models
from embedway.http.operation import Operation
from embedway.http.operations.parts import INFINITY_DOCUMENTS, INFINITY_INPUT, OPENAI, RERANK, TEXTS, Parts


def openai(parts: Parts) -> Sequence[Operation]:
    models = Models(parts.engine)
    return [
        Operation(
            name="createEmbedding",
            dialect=OPENAI,
            method="POST",
            paths=("/v1/embeddings", "/embeddings"),
            answer=Embeddings(parts.engine, parts.pictures, parts.timeout_s),
            summary="Embed one text or a list of texts (OpenAI, Infinity, Jina)",
            body_type=EmbeddingsBody,
            reply_type=EmbeddingsReply,
            example={"model": "all-MiniLM-L6-v2", "input": TEXTS},
        ),
        Operation(
            name="listModels",
            dialect=OPENAI,
            method="GET",
            paths=("/v1/models", "/models"),
            answer=models.list,
            summary="The models, their aliases and the state of their queues (OpenAI, Infinity)",
            reply_type=ModelList,
        ),
        Operation(
            name="retrieveModel",
            dialect=OPENAI,
            method="GET",
            paths=("/v1/models/{model:path}", "/models/{model:path}"),
            answer=models.get,
            summary="One model by its name or alias",
            reply_type=ModelRow,
        ),
    ]


def for_infinity(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="rerankInfinity",
            dialect=INFINITY_DOCUMENTS,
            method="POST",
            paths=RERANK,
            answer=infinity.Rerank(parts.ranking),
            summary="The same with raw_scores in the body (Infinity)",
            task="rerank",
            body_type=infinity.RerankBody,
            reply_type=infinity.RerankReply,
            told_by=frozenset({"documents", "raw_scores"}),
        ),
        Operation(
            name="classify",
            dialect=INFINITY_INPUT,
            method="POST",
            paths=("/v1/classify", "/classify"),
            answer=infinity.Classify(parts.engine, parts.timeout_s),
            summary="A classifier's labels for texts (Infinity)",
            task="classify",
            body_type=infinity.ClassifyBody,
            reply_type=infinity.ClassifyReply,
            example={"input": TEXTS},
        ),
    ]
