"""Every operation of every dialect, and whose words a path that is none of them gets."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.engine.engine import Engine
from embedway.http.dialects.base import Dialect
from embedway.http.dialects.deployments import Predict, PredictBody, PredictReply
from embedway.http.dialects.openai import (
    Embeddings,
    EmbeddingsBody,
    EmbeddingsReply,
    ModelList,
    ModelRow,
    Models,
    OpenAI,
)
from embedway.http.dialects.opensearch import (
    CompatibleEmbeddings,
    CompatibleReply,
    OpenSearch,
    TextEmbedding,
    TextEmbeddingBody,
    TextEmbeddingReply,
)
from embedway.http.operation import Operation
from embedway.settings import Settings

OPENAI = OpenAI()
OPENSEARCH = OpenSearch()
_PREFIXES: Sequence[tuple[str, Dialect]] = (("/v3/openapi", OPENSEARCH), ("/compatible-mode", OPENSEARCH))
_TEXTS = ["Science and technology are the primary productive forces", "opensearch product documentation"]


def dialect_of(path: str) -> Dialect:
    """Who words the errors of a path that has no operation."""
    return next((dialect for prefix, dialect in _PREFIXES if path.startswith(prefix)), OPENAI)


def operations(engine: Engine, settings: Settings) -> Sequence[Operation]:
    """All operations, those of a more special path first."""
    return [*_openai(engine, settings), *_opensearch(engine, settings)]


def _openai(engine: Engine, settings: Settings) -> Sequence[Operation]:
    models = Models(engine)
    return [
        Operation(
            name="createEmbedding",
            dialect=OPENAI,
            method="POST",
            paths=("/v1/embeddings", "/embeddings"),
            answer=Embeddings(engine, settings.request_timeout_s),
            summary="Embed one text or a list of texts (OpenAI, Infinity)",
            body_type=EmbeddingsBody,
            reply_type=EmbeddingsReply,
            example={"model": "all-MiniLM-L6-v2", "input": _TEXTS},
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


def _opensearch(engine: Engine, settings: Settings) -> Sequence[Operation]:
    return [
        Operation(
            name="GetTextEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/text-embedding/{service_id:path}",),
            answer=TextEmbedding(engine, settings.request_timeout_s),
            summary="Text embedding by service id (AI Search Open Platform)",
            body_type=TextEmbeddingBody,
            reply_type=TextEmbeddingReply,
            example={"input": _TEXTS, "input_type": "document"},
        ),
        Operation(
            name="createCompatibleEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/compatible-mode/v1/embeddings", "/compatible-mode/v1/chat/embeddings"),
            answer=CompatibleEmbeddings(engine, settings.request_timeout_s),
            summary="OpenAI-compatible text embedding (AI Search Open Platform)",
            body_type=EmbeddingsBody,
            reply_type=CompatibleReply,
            example={"model": "ops-text-embedding-002", "input": _TEXTS},
        ),
        Operation(
            name="GetPrediction",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/deployments/{deployment_id}/predict", "/v3/openapi/{deployment_id}"),
            answer=Predict(engine, settings.deployment, settings.request_timeout_s),
            summary="Custom deployment: text embedding (AI Search Open Platform)",
            body_type=PredictBody,
            reply_type=PredictReply,
            example={"input": _TEXTS, "input_type": "document"},
        ),
    ]
