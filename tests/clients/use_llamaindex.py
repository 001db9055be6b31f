"""Ask a server what users of LlamaIndex's `OpenAILikeEmbedding` ask: python use_llamaindex.py BASE_URL KEY."""

from __future__ import annotations

import sys
from typing import Any

from llama_index.embeddings.openai_like import OpenAILikeEmbedding

from report import Report

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["hi", "opensearch product documentation", "a"]


def open_embedding(url: str, key: str, **more: Any) -> OpenAILikeEmbedding:
    return OpenAILikeEmbedding(api_base=f"{url}/v1", api_key=key, max_retries=0, **{"model_name": MODEL} | more)


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    embedding = open_embedding(url, key)
    report.ask("texts", lambda: embedding.get_text_embedding_batch(TEXTS))
    report.ask("batches", lambda: open_embedding(url, key, embed_batch_size=2).get_text_embedding_batch(TEXTS))
    report.ask("text", lambda: embedding.get_text_embedding("hi"))
    report.ask("query", lambda: embedding.get_query_embedding("hi"))
    report.ask("native", lambda: open_embedding(url, key, dimensions=384).get_text_embedding("hi"))
    report.ask("dimensions", lambda: open_embedding(url, key, dimensions=128).get_text_embedding("hi"))
    report.ask("unknown", lambda: open_embedding(url, key, model_name="no-such-model").get_text_embedding("hi"))
    report.ask("stranger", lambda: open_embedding(url, "wrong").get_text_embedding("hi"))
    report.await_("async_texts", lambda: open_embedding(url, key).aget_text_embedding_batch(TEXTS))
    report.await_("async_query", lambda: open_embedding(url, key).aget_query_embedding("hi"))
    report.print()


if __name__ == "__main__":
    main()
