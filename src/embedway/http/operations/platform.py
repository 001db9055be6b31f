"""The operations of the AI Search Open Platform."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.http.dialects import analyze, multimodal, services, tuning
from embedway.http.dialects.deployments import Predict, PredictBody, PredictReply
from embedway.http.dialects.embeddings import EmbeddingsBody
from embedway.http.dialects.opensearch import (
    CompatibleEmbeddings,
    CompatibleReply,
    TextEmbedding,
    TextEmbeddingBody,
    TextEmbeddingReply,
)
from embedway.http.operation import Operation
from embedway.http.operations.parts import DOCUMENTS, OPENSEARCH, OPENSEARCH_DOCS, PIXEL, QUERY, TEXTS, Parts


def texts(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="GetTextEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/text-embedding/{service_id:path}",),
            answer=TextEmbedding(parts.engine, parts.timeout_s),
            summary="Text embedding by service id (AI Search Open Platform)",
            body_type=TextEmbeddingBody,
            reply_type=TextEmbeddingReply,
            example={"input": TEXTS, "input_type": "document"},
        ),
        Operation(
            name="createCompatibleEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/compatible-mode/v1/embeddings", "/compatible-mode/v1/chat/embeddings"),
            answer=CompatibleEmbeddings(parts.engine, parts.pictures, parts.timeout_s),
            summary="OpenAI-compatible text embedding (AI Search Open Platform)",
            body_type=EmbeddingsBody,
            reply_type=CompatibleReply,
            example={"model": "ops-text-embedding-002", "input": TEXTS},
        ),
        Operation(
            name="GetPrediction",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/deployments/{deployment_id}/predict", "/v3/openapi/{deployment_id}"),
            answer=Predict(parts.engine, parts.ranking, parts.pictures, parts.tenancy.find, parts.timeout_s),
            summary="Custom deployment: text embedding, reranking, texts and images (AI Search Open Platform)",
            body_type=PredictBody,
            reply_type=PredictReply,
            example={"input": TEXTS, "input_type": "document"},
        ),
    ]


def weights_and_ranks(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="GetTextSparseEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/text-sparse-embedding/{service_id:path}",),
            answer=services.SparseEmbedding(parts.engine, parts.timeout_s),
            summary="Weights of terms by service id (AI Search Open Platform)",
            body_type=services.SparseBody,
            reply_type=services.SparseReply,
            example={"input": TEXTS, "input_type": "document", "return_token": True},
        ),
        Operation(
            name="GetDocumentRank",
            dialect=OPENSEARCH_DOCS,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/ranker/{service_id:path}",),
            answer=services.Ranker(parts.ranking),
            summary="Order documents by how well they answer a query (AI Search Open Platform)",
            body_type=services.RankerBody,
            reply_type=services.RankerReply,
            example={"query": QUERY, "docs": DOCUMENTS},
        ),
    ]


def vectors(parts: Parts) -> Sequence[Operation]:
    return [
        Operation(
            name="GetEmbeddingTuning",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/embedding-tuning/{service_id:path}",),
            answer=tuning.Tuning(parts.engine, parts.settings.reduction, parts.trainings.find),
            summary="Shorter vectors by a trained reduction (AI Search Open Platform)",
            body_type=tuning.TuningBody,
            reply_type=tuning.TuningReply,
            example={"input": [[0.1, 0.2, 0.3, 0.4]], "parameters": {"output_dimension": 2, "model_name": "my-model"}},
        ),
    ]


def images(parts: Parts) -> Sequence[Operation]:
    element = {"text": TEXTS[1]}
    return [
        Operation(
            name="GetMultiModalEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/multi-modal-embedding/{service_id:path}",),
            answer=multimodal.MultimodalEmbedding(parts.engine, parts.pictures, parts.timeout_s),
            summary="Vectors of texts and images by service id (AI Search Open Platform)",
            body_type=multimodal.MultimodalBody,
            reply_type=multimodal.MultimodalReply,
            example={"input": [element]},
        ),
        Operation(
            name="GetMultiModalReranker",
            dialect=OPENSEARCH_DOCS,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/multi-modal-reranker/{service_id:path}",),
            answer=multimodal.MultimodalRanker(parts.engine, parts.pictures, parts.timeout_s),
            summary="Order texts and images by how well they answer a text or an image (AI Search Open Platform)",
            body_type=multimodal.MultimodalRankerBody,
            reply_type=multimodal.MultimodalRankerReply,
            example={"query": element, "docs": [element]},
        ),
    ]


def analysis(parts: Parts) -> Sequence[Operation]:
    path = "/v3/openapi/workspaces/{workspace}/image-analyze/{service_id:path}/async"
    return [
        Operation(
            name="CreateImageAnalyzeTask",
            dialect=OPENSEARCH,
            method="POST",
            paths=(path,),
            answer=analyze.ImageAnalyze(parts.engine, parts.pictures, parts.jobs),
            summary="Put an image into words, as a task (AI Search Open Platform)",
            body_type=analyze.AnalyzeBody,
            reply_type=analyze.AnalyzeReply,
            example={"document": {"content": PIXEL, "file_name": "pixel.png"}},
        ),
        Operation(
            name="GetImageAnalyzeTaskStatus",
            dialect=OPENSEARCH,
            method="GET",
            paths=(f"{path}/task-status",),
            answer=analyze.ImageAnalyzeStatus(parts.jobs),
            query={"task_id": {"type": "string", "minLength": 1, "description": "The task's id. It is required."}},
            summary="Whether such a task is done, and what came out (AI Search Open Platform)",
            reply_type=analyze.TaskReply,
        ),
    ]
