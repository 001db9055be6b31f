"""Ask a server everything that users of the `openai` package ask: python use_openai.py BASE_URL KEY [overloaded].

The base URL has no path; the script adds `/v1` and `/compatible-mode/v1`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
from openai import AsyncOpenAI, OpenAI

from report import Report

MODEL = "all-MiniLM-L6-v2"
TEXT = "I believe the meaning of life is"


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of an embeddings answer."""
    return {
        "vectors": [row.embedding for row in answer.data],
        "indexes": [row.index for row in answer.data],
        "model": answer.model,
        "usage": [answer.usage.prompt_tokens, answer.usage.total_tokens],
        "request_id": answer._request_id,
    }


def ask_v1(report: Report, url: str, key: str) -> None:
    client = OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
    create = client.embeddings.create
    report.ask("default", lambda: facts(create(model=MODEL, input=TEXT)))
    report.ask("list", lambda: facts(create(model=MODEL, input=["hi", "a", "b"])))
    report.ask("float", lambda: facts(create(model=MODEL, input=TEXT, encoding_format="float")))
    report.ask("base64", lambda: facts(create(model=MODEL, input=TEXT, encoding_format="base64")))
    report.ask("native", lambda: facts(create(model=MODEL, input=TEXT, dimensions=384)))
    report.ask("extra", lambda: facts(create(model=MODEL, input=TEXT, user="u", extra_body={"input_type": "query"})))
    report.ask("dimensions", lambda: facts(create(model=MODEL, input=TEXT, dimensions=128)))
    report.ask("tokens", lambda: facts(create(model=MODEL, input=[[1, 2], [3]])))
    report.ask("empty", lambda: facts(create(model=MODEL, input="")))
    report.ask("unknown", lambda: facts(create(model="no-such-model", input=TEXT)))
    report.ask("models", lambda: [model.id for model in client.models.list()])
    report.ask("retrieve", lambda: client.models.retrieve(MODEL).id)
    report.ask("retrieve_slash", lambda: client.models.retrieve("acme/minilm").id)
    report.ask("retrieve_unknown", lambda: client.models.retrieve("acme/none").id)
    stranger = OpenAI(api_key="wrong", base_url=f"{url}/v1", max_retries=0)
    report.ask("stranger", lambda: facts(stranger.embeddings.create(model=MODEL, input=TEXT)))


def ask_compatible(report: Report, url: str, key: str) -> None:
    client = OpenAI(api_key=key, base_url=f"{url}/compatible-mode/v1", max_retries=0)
    create = client.embeddings.create
    report.ask("compatible", lambda: facts(create(model="ops-text-embedding-001", input=TEXT)))
    report.ask("compatible_empty", lambda: facts(create(model="ops-text-embedding-001", input="")))
    report.ask("compatible_unknown", lambda: facts(create(model="no-such-service", input=TEXT)))
    stranger = OpenAI(api_key="wrong", base_url=f"{url}/compatible-mode/v1", max_retries=0)
    report.ask("compatible_stranger", lambda: facts(stranger.embeddings.create(model=MODEL, input=TEXT)))


def ask_async(report: Report, url: str, key: str) -> None:
    async def embed() -> list[dict[str, Any]]:
        async with AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
            calls = [client.embeddings.create(model=MODEL, input=[text, TEXT]) for text in ("hi", "a", "b", "hello")]
            return [facts(answer) for answer in await asyncio.gather(*calls)]

    async def unknown() -> None:
        async with AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
            await client.embeddings.create(model="no-such-model", input=TEXT)

    async def models() -> list[str]:
        async with AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
            return [model.id async for model in client.models.list()]

    report.await_("async", embed)
    report.await_("async_unknown", unknown)
    report.await_("async_models", models)


def ask_overloaded(report: Report, url: str, key: str) -> None:
    """Ask a server with a short queue while it is at work, and note the retry count of each request that goes out."""
    sent: list[str] = []
    hooks = {"request": [lambda request: sent.append(request.headers["x-stainless-retry-count"])]}

    def ask(name: str, text: str, retries: int) -> None:
        sent.clear()
        impatient = client.with_options(max_retries=retries)
        report.ask(name, lambda: facts(impatient.embeddings.create(model=MODEL, input=text)))
        report.answers[f"{name}_tries"] = list(sent)

    def pending() -> int:
        return OpenAI(api_key=key, base_url=f"{url}/v1").models.list().data[0].stats["results_pending"]

    with httpx2.Client(event_hooks=hooks) as transport, ThreadPoolExecutor() as pool:
        client = OpenAI(api_key=key, base_url=f"{url}/v1", http_client=transport)
        ask("refused", "", retries=2)
        other = OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
        work = pool.submit(other.embeddings.create, model=MODEL, input=["word " * 250] * 16)
        while not pending() and not work.done():
            time.sleep(0.005)
        ask("overloaded", TEXT, retries=0)
        ask("retried", TEXT, retries=4)
        work.result()


def main() -> None:
    url, key, *more = sys.argv[1:]
    report = Report()
    if more == ["overloaded"]:
        ask_overloaded(report, url, key)
    else:
        ask_v1(report, url, key)
        ask_compatible(report, url, key)
        ask_async(report, url, key)
    report.print()


if __name__ == "__main__":
    main()
