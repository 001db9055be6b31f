"""Ask a server what users of LlamaIndex's `AlibabaCloudAISearchEmbedding` ask: python use_aisearch.py HOST:PORT KEY.

It waits a second and tries again for as long as the code is `Throttling.RateQuota`; everything else it raises.
"""

from __future__ import annotations

import sys
import time

from llama_index.embeddings.alibabacloud_aisearch import AlibabaCloudAISearchEmbedding

from report import Report


def main() -> None:
    endpoint, key = sys.argv[1:]
    report = Report()
    embedding = AlibabaCloudAISearchEmbedding(endpoint=endpoint, aisearch_api_key=key, service_id="m")
    begun_s = time.monotonic()
    for number in range(3):
        report.ask(f"text_{number}", lambda: len(embedding.get_text_embedding("hi")))
    report.answers["three_s"] = time.monotonic() - begun_s
    begun_s = time.monotonic()
    report.ask("huge", lambda: len(embedding.get_text_embedding("a " * 5000)))
    report.answers["huge_s"] = time.monotonic() - begun_s
    report.await_("async", lambda: embedding.aget_query_embedding("hi"))
    report.print()


if __name__ == "__main__":
    main()
