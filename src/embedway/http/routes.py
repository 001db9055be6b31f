"""Every operation of every dialect, and whose words a path that is none of them gets."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.egress import Egress, EgressRules
from embedway.engine.engine import Engine
from embedway.http.dialects import cohere, embed, infinity, jina, multimodal, services, tei, vllm
from embedway.http.dialects.base import Dialect
from embedway.http.dialects.deployments import Predict, PredictBody, PredictReply
from embedway.http.dialects.embeddings import Embeddings, EmbeddingsBody, EmbeddingsReply
from embedway.http.dialects.openai import ModelList, ModelRow, Models, OpenAI
from embedway.http.dialects.opensearch import (
    CompatibleEmbeddings,
    CompatibleReply,
    OpenSearch,
    TextEmbedding,
    TextEmbeddingBody,
    TextEmbeddingReply,
)
from embedway.http.dialects.pictures import Pictures
from embedway.http.dialects.ranking import Ranking
from embedway.http.operation import Operation
from embedway.models.images import LIMITS
from embedway.settings import Settings

OPENAI = OpenAI()
OPENSEARCH, OPENSEARCH_DOCS = OpenSearch(), OpenSearch("$.docs")
COHERE = cohere.Cohere()
INFINITY_DOCUMENTS, INFINITY_INPUT = infinity.Infinity("$.documents"), infinity.Infinity("$.input")
TEI_TEXTS, TEI_INPUTS = tei.Tei("$.texts"), tei.Tei("$.inputs")
_PREFIXES: Sequence[tuple[str, Dialect]] = (
    ("/v3/openapi", OPENSEARCH),
    ("/compatible-mode", OPENSEARCH),
    ("/v2/", COHERE),
    ("/v1/embed/", COHERE),
    ("/classify", INFINITY_INPUT),
    ("/v1/classify", INFINITY_INPUT),
    ("/predict", TEI_INPUTS),
)
_RERANK = ("/v1/rerank", "/rerank")
_QUERY = "What is the capital of France?"
_DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France."]
_TEXTS = ["Science and technology are the primary productive forces", "opensearch product documentation"]


def dialect_of(path: str) -> Dialect:
    """Who words the errors of a path that has no operation."""
    return next((dialect for prefix, dialect in _PREFIXES if f"{path}/".startswith(prefix)), OPENAI)


def operations(engine: Engine, settings: Settings) -> Sequence[Operation]:
    """All operations, those of a more special path first; of those that share a path its owner first."""
    ranking = Ranking(engine, settings.request_timeout_s)
    pictures = Pictures(Egress(EgressRules(settings.image_url_host, settings.allow_private_urls, LIMITS.bytes)))
    return [
        *_openai(engine, settings, pictures),
        *_rerank(ranking),
        *_cohere(engine, settings, ranking, pictures),
        *_infinity(engine, settings, ranking),
        *_tei(engine, settings, ranking),
        *_opensearch(engine, settings, ranking, pictures),
        *_services(engine, settings, ranking),
        *_multimodal(engine, settings, pictures),
    ]


def _openai(engine: Engine, settings: Settings, pictures: Pictures) -> Sequence[Operation]:
    models = Models(engine)
    return [
        Operation(
            name="createEmbedding",
            dialect=OPENAI,
            method="POST",
            paths=("/v1/embeddings", "/embeddings"),
            answer=Embeddings(engine, pictures, settings.request_timeout_s),
            summary="Embed one text or a list of texts (OpenAI, Infinity, Jina)",
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


def _opensearch(engine: Engine, settings: Settings, ranking: Ranking, pictures: Pictures) -> Sequence[Operation]:
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
            answer=CompatibleEmbeddings(engine, pictures, settings.request_timeout_s),
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
            answer=Predict(engine, ranking, pictures, settings.deployment, settings.request_timeout_s),
            summary="Custom deployment: text embedding, reranking, texts and images (AI Search Open Platform)",
            body_type=PredictBody,
            reply_type=PredictReply,
            example={"input": _TEXTS, "input_type": "document"},
        ),
    ]


def _rerank(ranking: Ranking) -> Sequence[Operation]:
    return [
        Operation(
            name="rerank",
            dialect=jina.Jina(),
            method="POST",
            paths=_RERANK,
            answer=jina.Rerank(ranking),
            summary="Order documents by how well they answer a query (Jina, Cohere v1, vLLM)",
            body_type=jina.RerankBody,
            reply_type=jina.RerankReply,
            example={"model": "all-MiniLM-L6-v2", "query": _QUERY, "documents": _DOCUMENTS, "top_n": 1},
        ),
        Operation(
            name="score",
            dialect=vllm.Vllm(),
            method="POST",
            paths=("/v1/score", "/score"),
            answer=vllm.Score(ranking),
            summary="Score pairs of texts in their order (vLLM)",
            body_type=vllm.ScoreBody,
            reply_type=vllm.ScoreReply,
            example={"model": "all-MiniLM-L6-v2", "text_1": _QUERY, "text_2": _DOCUMENTS},
        ),
    ]


def _cohere(engine: Engine, settings: Settings, ranking: Ranking, pictures: Pictures) -> Sequence[Operation]:
    answer = embed.Embed(engine, pictures, settings.request_timeout_s)
    example = {"model": "all-MiniLM-L6-v2", "texts": _TEXTS, "input_type": "search_document"}
    return [
        Operation(
            name="rerankV2",
            dialect=COHERE,
            method="POST",
            paths=("/v2/rerank",),
            answer=cohere.Rerank(ranking),
            summary="Order documents by how well they answer a query (Cohere v2)",
            body_type=cohere.RerankBody,
            reply_type=cohere.RerankReply,
            example={"model": "all-MiniLM-L6-v2", "query": _QUERY, "documents": _DOCUMENTS},
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


def _infinity(engine: Engine, settings: Settings, ranking: Ranking) -> Sequence[Operation]:
    return [
        Operation(
            name="rerankInfinity",
            dialect=INFINITY_DOCUMENTS,
            method="POST",
            paths=_RERANK,
            answer=infinity.Rerank(ranking),
            summary="The same with raw_scores in the body (Infinity)",
            body_type=infinity.RerankBody,
            reply_type=infinity.RerankReply,
            told_by=frozenset({"documents", "raw_scores"}),
        ),
        Operation(
            name="classify",
            dialect=INFINITY_INPUT,
            method="POST",
            paths=("/v1/classify", "/classify"),
            answer=infinity.Classify(engine, settings.request_timeout_s),
            summary="A classifier's labels for texts (Infinity)",
            body_type=infinity.ClassifyBody,
            reply_type=infinity.ClassifyReply,
            example={"input": _TEXTS},
        ),
    ]


def _tei(engine: Engine, settings: Settings, ranking: Ranking) -> Sequence[Operation]:
    return [
        Operation(
            name="rerankTexts",
            dialect=TEI_TEXTS,
            method="POST",
            paths=_RERANK,
            answer=tei.Rerank(ranking),
            summary="The same with texts in the body (text-embeddings-inference)",
            body_type=tei.RerankBody,
            reply_type=list[tei.RankedRow],
            told_by=frozenset({"texts"}),
        ),
        Operation(
            name="predict",
            dialect=TEI_INPUTS,
            method="POST",
            paths=("/predict",),
            answer=tei.Predict(engine, settings.request_timeout_s),
            summary="A classifier's labels for texts or pairs of texts (text-embeddings-inference)",
            body_type=tei.PredictBody,
            reply_type=list[tei.Prediction | list[tei.Prediction]],
            example={"inputs": _TEXTS[0]},
        ),
    ]


def _services(engine: Engine, settings: Settings, ranking: Ranking) -> Sequence[Operation]:
    return [
        Operation(
            name="GetTextSparseEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/text-sparse-embedding/{service_id:path}",),
            answer=services.SparseEmbedding(engine, settings.request_timeout_s),
            summary="Weights of terms by service id (AI Search Open Platform)",
            body_type=services.SparseBody,
            reply_type=services.SparseReply,
            example={"input": _TEXTS, "input_type": "document", "return_token": True},
        ),
        Operation(
            name="GetDocumentRank",
            dialect=OPENSEARCH_DOCS,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/ranker/{service_id:path}",),
            answer=services.Ranker(ranking),
            summary="Order documents by how well they answer a query (AI Search Open Platform)",
            body_type=services.RankerBody,
            reply_type=services.RankerReply,
            example={"query": _QUERY, "docs": _DOCUMENTS},
        ),
    ]


def _multimodal(engine: Engine, settings: Settings, pictures: Pictures) -> Sequence[Operation]:
    element = {"text": _TEXTS[1]}
    return [
        Operation(
            name="GetMultiModalEmbedding",
            dialect=OPENSEARCH,
            method="POST",
            paths=("/v3/openapi/workspaces/{workspace}/multi-modal-embedding/{service_id:path}",),
            answer=multimodal.MultimodalEmbedding(engine, pictures, settings.request_timeout_s),
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
            answer=multimodal.MultimodalRanker(engine, pictures, settings.request_timeout_s),
            summary="Order texts and images by how well they answer a text or an image (AI Search Open Platform)",
            body_type=multimodal.MultimodalRankerBody,
            reply_type=multimodal.MultimodalRankerReply,
            example={"query": element, "docs": [element]},
        ),
    ]
