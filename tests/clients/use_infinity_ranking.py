"""Ask a server for what users of `infinity_client` order and classify: python use_infinity_ranking.py BASE_URL KEY."""

from __future__ import annotations

import sys
from typing import Any

from infinity_client import AuthenticatedClient
from infinity_client.api.default import classify, rerank
from infinity_client.models import ClassifyInput, RerankInput

from report import Report

MODEL = "all-MiniLM-L6-v2"
QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked in an oven."]


def ranked(answer: Any) -> dict[str, Any]:
    """Return what the client made of a rerank answer."""
    return {
        "object": answer.object_,
        "id": answer.id,
        "created": answer.created,
        "model": answer.model,
        "usage": [answer.usage.prompt_tokens, answer.usage.total_tokens],
        "indexes": [row.index for row in answer.results],
        "scores": [row.relevance_score for row in answer.results],
        "documents": [row.to_dict().get("document") for row in answer.results],
    }


def classified(answer: Any) -> dict[str, Any]:
    """Return what the client made of a classify answer."""
    return {
        "model": answer.model,
        "usage": [answer.usage.prompt_tokens, answer.usage.total_tokens],
        "labels": [[row.label for row in rows] for rows in answer.data],
        "scores": [[row.score for row in rows] for rows in answer.data],
    }


def ask(report: Report, name: str, client: AuthenticatedClient) -> None:
    def order(model: str = MODEL, **more: Any) -> dict[str, Any]:
        body = RerankInput(query=QUERY, documents=DOCUMENTS, model=model, **more)
        return ranked(rerank.sync(client=client, body=body))

    report.ask(f"{name}_rerank", order)
    report.ask(f"{name}_documents", lambda: order(return_documents=True, top_n=2))
    report.ask(f"{name}_raw", lambda: order(model="scorer", raw_scores=True))
    report.ask(f"{name}_scored", lambda: order(model="default/not-specified"))
    report.ask(f"{name}_unknown", lambda: order(model="none"))
    report.ask(
        f"{name}_classify",
        lambda: classified(classify.sync(client=client, body=ClassifyInput(input_=["hi", "a"], model="moods"))),
    )
    report.ask(
        f"{name}_misused",
        lambda: classified(classify.sync(client=client, body=ClassifyInput(input_=["hi"], model=MODEL))),
    )


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    for name, base in (("root", url), ("v1", f"{url}/v1")):
        ask(report, name, AuthenticatedClient(base_url=base, token=key, raise_on_unexpected_status=True))
    report.print()


if __name__ == "__main__":
    main()
