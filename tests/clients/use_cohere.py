"""Ask a server what users of `cohere` ask: python use_cohere.py BASE_URL KEY."""

from __future__ import annotations

import sys
from typing import Any

import cohere

from report import Report

MODEL = "all-MiniLM-L6-v2"
QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked in an oven."]


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of a rerank answer."""
    return {
        "id": answer.id,
        "indexes": [row.index for row in answer.results],
        "scores": [row.relevance_score for row in answer.results],
        "documents": [document_of(row) for row in answer.results],
        "version": answer.meta.api_version.version,
        "units": answer.meta.billed_units.search_units,
        "tokens": answer.meta.tokens.input_tokens,
    }


def document_of(row: Any) -> Any:
    document = getattr(row, "document", None)
    return getattr(document, "text", document)


def ask_version_one(report: Report, url: str, key: str) -> None:
    rerank = cohere.Client(key, base_url=url).rerank
    report.ask("v1", lambda: facts(rerank(model=MODEL, query=QUERY, documents=DOCUMENTS)))
    report.ask(
        "v1_objects",
        lambda: facts(
            rerank(
                model=MODEL,
                query=QUERY,
                documents=[{"text": text} for text in DOCUMENTS],
                top_n=2,
                rank_fields=["text"],
                return_documents=True,
                max_chunks_per_doc=10,
            )
        ),
    )
    report.ask("v1_bare", lambda: facts(rerank(query=QUERY, documents=DOCUMENTS, return_documents=False)))
    report.ask("v1_unknown", lambda: facts(rerank(model="rerank-v9", query=QUERY, documents=DOCUMENTS)))


def ask_version_two(report: Report, url: str, key: str) -> None:
    rerank = cohere.ClientV2(key, base_url=url).rerank
    report.ask("v2", lambda: facts(rerank(model=MODEL, query=QUERY, documents=DOCUMENTS)))
    more = {"top_n": 1, "max_tokens_per_doc": 4096, "priority": 3}
    report.ask("v2_more", lambda: facts(rerank(model=MODEL, query=QUERY, documents=DOCUMENTS, **more)))
    report.ask("v2_reranker", lambda: facts(rerank(model="scorer", query=QUERY, documents=DOCUMENTS)))
    report.ask("v2_unknown", lambda: facts(rerank(model="rerank-v9", query=QUERY, documents=DOCUMENTS)))
    report.ask("v2_empty", lambda: facts(rerank(model=MODEL, query=QUERY, documents=[])))
    stranger = cohere.ClientV2("wrong", base_url=url)
    report.ask("v2_stranger", lambda: facts(stranger.rerank(model=MODEL, query=QUERY, documents=DOCUMENTS)))


def ask_async(report: Report, url: str, key: str) -> None:
    async def one() -> dict[str, Any]:
        async with cohere.AsyncClient(key, base_url=url) as client:
            return facts(await client.rerank(model=MODEL, query=QUERY, documents=DOCUMENTS))

    async def two() -> dict[str, Any]:
        async with cohere.AsyncClientV2(key, base_url=url) as client:
            return facts(await client.rerank(model=MODEL, query=QUERY, documents=DOCUMENTS))

    report.await_("v1_async", one)
    report.await_("v2_async", two)


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    ask_version_one(report, url, key)
    ask_version_two(report, url, key)
    ask_async(report, url, key)
    report.print()


if __name__ == "__main__":
    main()
