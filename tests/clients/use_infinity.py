"""Ask a server what users of `infinity_client` ask: python use_infinity.py BASE_URL [KEY]."""

from __future__ import annotations

import sys
from typing import Any

from infinity_client import AuthenticatedClient, Client
from infinity_client.api.default import embeddings, health, models
from infinity_client.models import OpenAIEmbeddingInputText

from report import Report

MODEL = "all-MiniLM-L6-v2"


def rows(found: Any) -> list[dict[str, Any]]:
    return [row.to_dict() for row in found.data]


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of an embeddings answer."""
    return {
        "vectors": [row.embedding for row in answer.data],
        "indexes": [row.index for row in answer.data],
        "model": answer.model,
        "usage": [answer.usage.prompt_tokens, answer.usage.total_tokens],
    }


def open_client(url: str, key: str | None) -> Any:
    if key is None:
        return Client(base_url=url, raise_on_unexpected_status=True)
    return AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)


def main() -> None:
    url, key = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    report = Report()
    text = OpenAIEmbeddingInputText
    for name, base in (("root", url), ("v1", f"{url}/v1")):
        client = open_client(base, key)
        report.ask(f"{name}_models", lambda client=client: rows(models.sync(client=client)))
        body = text(input_=["hi", "a"], model=MODEL)
        report.ask(f"{name}_embed", lambda client=client, body=body: facts(embeddings.sync(client=client, body=body)))
    client = open_client(url, key)
    report.ask("health", lambda: health.sync(client=client).to_dict())
    report.ask("one", lambda: facts(embeddings.sync(client=client, body=text(input_="hi", model=MODEL))))
    report.ask("unsaid", lambda: facts(embeddings.sync(client=client, body=text(input_=["hi"]))))
    report.ask("unknown", lambda: facts(embeddings.sync(client=client, body=text(input_=["hi"], model="none"))))

    async def asked() -> list[dict[str, Any]]:
        async with open_client(f"{url}/v1", key) as client:
            found = await models.asyncio(client=client)
            answer = await embeddings.asyncio(client=client, body=text(input_=["hi", "a"], model=MODEL))
            return [*rows(found), facts(answer)]

    report.await_("async", asked)
    if key is not None:
        stranger = open_client(url, "wrong")
        report.ask("stranger", lambda: rows(models.sync(client=stranger)))
    report.print()


if __name__ == "__main__":
    main()
