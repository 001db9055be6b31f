"""Ask a server through LiteLLM's adapters: python use_litellm.py BASE_URL KEY."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its own copy of the price list: nothing is fetched

import litellm

from report import Report

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["hi", "opensearch product documentation"]
QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked in an oven."]
EMBEDDING = {
    "openai": "/v1",
    "infinity": "",
    "hosted_vllm": "/v1",
    "jina_ai": "/v1",
    "cohere": "/v2/embed",
}
"""What each adapter wants behind the server's address."""
RANKING = ("cohere", "jina_ai", "infinity", "hosted_vllm", "huggingface")


def embedded(answer: Any) -> dict[str, Any]:
    """Return what the adapter made of an embeddings answer."""
    rows = [row if isinstance(row, dict) else row.model_dump() for row in answer.data]
    return {"vectors": [row["embedding"] for row in rows], "tokens": answer.usage.prompt_tokens}


def ranked(answer: Any) -> dict[str, Any]:
    """Return what the adapter made of a rerank answer."""
    return {
        "indexes": [row["index"] for row in answer.results],
        "scores": [row["relevance_score"] for row in answer.results],
        "documents": [row.get("document") for row in answer.results],
    }


def ask_embedding(report: Report, url: str, key: str) -> None:
    def embed(adapter: str, path: str, model: str = MODEL, **more: Any) -> dict[str, Any]:
        name = f"{adapter}/{model}"
        return embedded(litellm.embedding(name, input=TEXTS, api_base=url + path, api_key=key, num_retries=0, **more))

    for adapter, path in EMBEDDING.items():
        report.ask(f"{adapter}_embed", partial(embed, adapter, path))
        report.ask(f"{adapter}_unknown", partial(embed, adapter, path, "no-such-model"))
    report.ask("huggingface_embed", lambda: embed("huggingface", "/embed", input_type="embed"))
    report.ask("openai_base64", lambda: embed("openai", "/v1", encoding_format="base64"))
    report.ask("hosted_vllm_dimensions", lambda: embed("hosted_vllm", "/v1", dimensions=384))
    report.ask("jina_ai_task", lambda: embed("jina_ai", "/v1", dimensions=384, task="retrieval.query"))
    report.ask("cohere_types", lambda: embed("cohere", "/v2/embed", encoding_format=["float"], dimensions=384))


def ask_ranking(report: Report, url: str, key: str) -> None:
    def rerank(adapter: str, **more: Any) -> dict[str, Any]:
        asked = {"query": QUERY, "documents": DOCUMENTS, "top_n": 2, "api_base": url, "api_key": key, **more}
        return ranked(litellm.rerank(model=f"{adapter}/{MODEL}", **asked))

    for adapter in RANKING:
        report.ask(f"{adapter}_rerank", partial(rerank, adapter, return_documents=True))
        report.ask(f"{adapter}_bare", partial(rerank, adapter, return_documents=False))


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    ask_embedding(report, url, key)
    ask_ranking(report, url, key)
    report.print()


if __name__ == "__main__":
    main()
