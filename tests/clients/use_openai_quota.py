"""Ask a server that allows one request a second, with the `openai` client: python use_openai_quota.py BASE_URL KEY."""

from __future__ import annotations

import sys
import time
from typing import Any

import httpx2
from openai import OpenAI

from report import Report

TEXT = "hi"


def main() -> None:
    url, key = sys.argv[1:]
    report = Report()
    sent: list[str] = []
    hooks = {"request": [lambda request: sent.append(request.headers["x-stainless-retry-count"])]}
    with httpx2.Client(event_hooks=hooks) as transport:
        client = OpenAI(api_key=key, base_url=f"{url}/v1", http_client=transport)

        def ask(name: str, text: str, retries: int) -> None:
            sent.clear()
            begun_s = time.monotonic()
            patient = client.with_options(max_retries=retries)
            report.ask(name, lambda: len(patient.embeddings.create(model="m", input=text).data[0].embedding))
            report.answers[f"{name}_tries"] = list(sent)
            report.answers[f"{name}_s"] = time.monotonic() - begun_s

        ask("first", TEXT, 2)
        ask("second", TEXT, 2)
        ask("third", TEXT, 2)
        ask("huge", "a " * 5000, 2)
        headers: Any = client.with_raw_response.embeddings.create(model="m", input=TEXT).headers
        report.answers["headers"] = {name: value for name, value in headers.items() if "ratelimit" in name}
    report.print()


if __name__ == "__main__":
    main()
