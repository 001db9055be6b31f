"""Ask a server what users of LangChain's `OpenAIEmbeddings` ask: python use_langchain.py BASE_URL KEY."""

from __future__ import annotations

import sys
from typing import Any

from langchain_openai import OpenAIEmbeddings

from report import Report

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["hi", "opensearch product documentation", "a"]


def open_embeddings(url: str, key: str, **more: Any) -> OpenAIEmbeddings:
    """With texts left as they are: else the client sends the ids of another model's tokenizer."""
    return OpenAIEmbeddings(
        base_url=f"{url}/v1", api_key=key, check_embedding_ctx_length=False, max_retries=0, **{"model": MODEL} | more
    )


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    embeddings = open_embeddings(url, key)
    report.ask("documents", lambda: embeddings.embed_documents(TEXTS))
    report.ask("chunks", lambda: embeddings.embed_documents(TEXTS, chunk_size=1))
    report.ask("query", lambda: embeddings.embed_query("hi"))
    report.ask("native", lambda: open_embeddings(url, key, dimensions=384).embed_query("hi"))
    roles = open_embeddings(url, key, model_kwargs={"extra_body": {"input_type": "query"}})
    report.ask("role", lambda: roles.embed_query("hi"))
    report.ask("dimensions", lambda: open_embeddings(url, key, dimensions=128).embed_query("hi"))
    report.ask("unknown", lambda: open_embeddings(url, key, model="no-such-model").embed_query("hi"))
    report.ask("stranger", lambda: open_embeddings(url, "wrong").embed_query("hi"))
    report.await_("async_documents", lambda: embeddings.aembed_documents(TEXTS))
    report.await_("async_query", lambda: open_embeddings(url, key).aembed_query("hi"))
    report.print()


if __name__ == "__main__":
    main()
