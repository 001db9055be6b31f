"""Ask a server what users of `alibabacloud-searchplat20240529` ask: python use_searchplat.py HOST:PORT KEY TOKEN."""

from __future__ import annotations

import sys
from typing import Any

from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import (
    GetDocumentRankRequest,
    GetPredictionHeaders,
    GetPredictionRequest,
    GetTextEmbeddingRequest,
    GetTextSparseEmbeddingRequest,
)
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from report import Report

SERVICE = "ops-text-embedding-001"
SPARSE_SERVICE = "ops-text-sparse-embedding-001"
RANKER_SERVICE = "ops-bge-reranker-larger"
DEPLOYMENT = "dep-abc123"
RANKER = "dep-ranker"
RUNTIME = RuntimeOptions(read_timeout=60_000, connect_timeout=5_000)
TEXTS = ["科学技术是第一生产力", "opensearch"]
QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Cats sleep all day.", "Paris is the capital of France."]


def open_client(endpoint: str, key: str) -> Client:
    return Client(Config(bearer_token=key, endpoint=endpoint, protocol="http"))


def request(value: Any, input_type: str | None = "document") -> GetTextEmbeddingRequest:
    return GetTextEmbeddingRequest(input=value, input_type=input_type)


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of an answer in the envelope."""
    body = answer.body
    return {
        "status": answer.status_code,
        "request_id": body.request_id,
        "header_id": answer.headers.get("x-acs-request-id"),
        "latency": body.latency,
        "tokens": body.usage.token_count,
        "indexes": [row.index for row in body.result.embeddings],
        "vectors": [row.embedding for row in body.result.embeddings],
    }


def embed(client: Client, value: Any, service: str = SERVICE, input_type: str | None = "document") -> dict[str, Any]:
    return facts(client.get_text_embedding_with_options("default", service, request(value, input_type), {}, RUNTIME))


def ask_embedding(report: Report, endpoint: str, key: str) -> None:
    client = open_client(endpoint, key)
    report.ask("embed", lambda: embed(client, TEXTS))
    report.ask("string", lambda: embed(client, "hi"))
    report.ask("query", lambda: embed(client, TEXTS, input_type="query"))
    report.ask("untyped", lambda: embed(client, TEXTS, input_type=None))
    for name, form in (("url", f"http://{endpoint}"), ("url_slash", f"http://{endpoint}/")):
        report.ask(name, lambda form=form: embed(open_client(form, key), TEXTS))
    report.ask("unknown", lambda: embed(client, TEXTS, service="no-such-service"))
    report.ask("empty", lambda: embed(client, ["a", ""]))
    report.ask("too_many", lambda: embed(client, ["a"] * 33))
    report.ask("input_type", lambda: embed(client, TEXTS, input_type="xxx"))
    report.ask("stranger", lambda: embed(open_client(endpoint, "wrong"), TEXTS))

    async def embed_async() -> dict[str, Any]:
        return facts(
            await client.get_text_embedding_with_options_async("default", SERVICE, request(TEXTS), {}, RUNTIME)
        )

    report.await_("async", embed_async)


def ask_sparse(report: Report, endpoint: str, key: str) -> None:
    client = open_client(endpoint, key)

    def weigh(return_token: bool, value: Any = TEXTS) -> dict[str, Any]:
        request = GetTextSparseEmbeddingRequest(input=value, input_type="document", return_token=return_token)
        answer = client.get_text_sparse_embedding_with_options("default", SPARSE_SERVICE, request, {}, RUNTIME)
        rows = answer.body.result.sparse_embeddings
        return {
            "tokens": answer.body.usage.token_count,
            "request_id": answer.body.request_id,
            "indexes": [row.index for row in rows],
            "terms": [[(term.token_id, term.weight, term.token) for term in row.embedding] for row in rows],
        }

    report.ask("sparse", lambda: weigh(return_token=True))
    report.ask("sparse_ids", lambda: weigh(return_token=False))
    report.ask("sparse_empty", lambda: weigh(return_token=False, value=[""]))


def ask_ranker(report: Report, endpoint: str, key: str) -> None:
    client = open_client(endpoint, key)

    def rank(docs: list[str], service: str = RANKER_SERVICE) -> dict[str, Any]:
        request = GetDocumentRankRequest(query=QUERY, docs=docs)
        answer = client.get_document_rank_with_options("default", service, request, {}, RUNTIME)
        scores = [(one.index, one.score) for one in answer.body.result.scores]
        return {"scores": scores, "documents": answer.body.usage.doc_count, "request_id": answer.body.request_id}

    report.ask("rank", lambda: rank(DOCUMENTS))
    report.ask("rank_none", lambda: rank([]))
    report.ask("rank_unknown", lambda: rank(DOCUMENTS, "no-such-ranker"))


def ask_prediction(report: Report, endpoint: str, key: str, token: str) -> None:
    client = open_client(endpoint, key)

    def predict(body: Any, deployment: str = DEPLOYMENT, token: str = token) -> dict[str, Any]:
        headers = GetPredictionHeaders(token=token)
        answer = client.get_prediction_with_options(deployment, GetPredictionRequest(body=body), headers, RUNTIME)
        return {"status": answer.status_code, "body": answer.body, "headers": dict(answer.headers)}

    report.ask("predict", lambda: predict({"input": TEXTS, "input_type": "document", "dimension": 256}))
    report.ask("predict_text", lambda: predict('{"input": "hi"}'))
    report.ask("predict_dimension", lambda: predict({"input": TEXTS, "dimension": 567}))
    report.ask("predict_stranger", lambda: predict({"input": "hi"}, token="wrong"))
    ranked = {"query": QUERY, "docs": DOCUMENTS}
    report.ask("predict_rank", lambda: predict(ranked, deployment=RANKER))
    report.ask("predict_rank_list", lambda: predict({**ranked, "query": [QUERY]}, deployment=RANKER))
    report.ask("predict_rank_text", lambda: predict({"input": "hi"}, deployment=RANKER))
    report.ask("predict_rank_many", lambda: predict({**ranked, "docs": DOCUMENTS * 6}, deployment=RANKER))
    report.ask("predict_unknown", lambda: predict({"input": "hi"}, deployment="no-such"))


def main() -> None:
    endpoint, key, token = sys.argv[1:]
    report = Report()
    ask_embedding(report, endpoint, key)
    ask_sparse(report, endpoint, key)
    ask_ranker(report, endpoint, key)
    ask_prediction(report, endpoint, key, token)
    report.print()


if __name__ == "__main__":
    main()
