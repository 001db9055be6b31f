"""Ask a server what users of `cohere` ask of embed: python use_cohere_embed.py BASE_URL KEY."""

from __future__ import annotations

import sys
from typing import Any

import cohere

from report import Report

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["hi", "opensearch product documentation"]
TYPES = ["float", "int8", "uint8", "binary", "ubinary", "base64"]


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of an answer by type."""
    found = answer.embeddings
    return {
        "id": answer.id,
        "texts": answer.texts,
        "kind": answer.response_type,
        "version": answer.meta.api_version.version,
        "tokens": answer.meta.billed_units.input_tokens,
        "embeddings": {name: getattr(found, "float_" if name == "float" else name) for name in TYPES},
    }


def ask_version_two(report: Report, url: str, key: str) -> None:
    embed = cohere.ClientV2(key, base_url=url).embed
    asked = {"model": MODEL, "texts": TEXTS, "input_type": "search_document"}
    report.ask("all", lambda: facts(embed(**asked, embedding_types=TYPES)))
    report.ask("default", lambda: facts(embed(**asked)))
    report.ask("query", lambda: facts(embed(**(asked | {"input_type": "search_query"}), truncate="END", priority=2)))
    parts = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    report.ask("inputs", lambda: facts(embed(model=MODEL, input_type="classification", inputs=parts)))
    report.ask("unknown", lambda: facts(embed(**(asked | {"model": "embed-v9"}))))
    report.ask("dimension", lambda: facts(embed(**asked, output_dimension=64)))
    report.ask("empty", lambda: facts(embed(**(asked | {"texts": []}))))
    stranger = cohere.ClientV2("wrong", base_url=url)
    report.ask("stranger", lambda: facts(stranger.embed(**asked)))


def ask_version_one(report: Report, url: str, key: str) -> None:
    client = cohere.Client(key, base_url=url)

    def floats() -> dict[str, Any]:
        answer = client.embed(model=MODEL, texts=TEXTS, input_type="search_document")
        return {"vectors": answer.embeddings, "kind": answer.response_type, "texts": answer.texts}

    def many() -> int:
        return len(client.embed(model=MODEL, texts=["a"] * 200, input_type="search_document").embeddings)

    report.ask("v1", floats)
    report.ask("v1_many", many)
    report.ask("v1_types", lambda: facts(client.embed(model=MODEL, texts=TEXTS, embedding_types=["float", "int8"])))


def ask_async(report: Report, url: str, key: str) -> None:
    async def embed() -> dict[str, Any]:
        async with cohere.AsyncClientV2(key, base_url=url) as client:
            return facts(await client.embed(model=MODEL, texts=TEXTS, input_type="search_document"))

    report.await_("async", embed)


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    ask_version_two(report, url, key)
    ask_version_one(report, url, key)
    ask_async(report, url, key)
    report.print()


if __name__ == "__main__":
    main()
