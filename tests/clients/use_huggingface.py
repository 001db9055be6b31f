"""Ask a server what users of `InferenceClient` ask a classifier: python use_huggingface.py BASE_URL KEY.

The client of `huggingface_hub` has no call for rerank.
"""

from __future__ import annotations

import sys
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient

from report import Report

TEXT = "I like you"


def facts(answer: Any) -> dict[str, Any]:
    """Return what the client made of text-embeddings-inference's answer to one text: the likeliest label."""
    return {"label": answer.label, "score": answer.score}


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    client = InferenceClient(f"{url}/predict", token=key)
    report.ask("classify", lambda: facts(client.text_classification(TEXT)))
    report.ask("empty", lambda: facts(client.text_classification("")))
    stranger = InferenceClient(f"{url}/predict", token="wrong")
    report.ask("stranger", lambda: facts(stranger.text_classification(TEXT)))

    async def asked() -> dict[str, Any]:
        async with AsyncInferenceClient(f"{url}/predict", token=key) as patient:
            return facts(await patient.text_classification(TEXT))

    report.await_("async", asked)
    report.print()


if __name__ == "__main__":
    main()
