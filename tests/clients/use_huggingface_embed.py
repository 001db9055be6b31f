"""Ask a server what users of `InferenceClient` ask for vectors: python use_huggingface_embed.py BASE_URL."""

from __future__ import annotations

import sys

from huggingface_hub import InferenceClient

from report import Report

TEXT = "opensearch product documentation"


def main() -> None:
    (url,) = sys.argv[1:]
    report = Report()
    embed, compare = (InferenceClient(f"{url}/{path}", token="any") for path in ("embed", "similarity"))
    report.ask("features", lambda: embed.feature_extraction(TEXT, truncate=True, normalize=True).tolist())
    report.ask("similarity", lambda: compare.sentence_similarity(TEXT, [TEXT, "a table"]))
    report.ask("empty", lambda: embed.feature_extraction("").tolist())
    report.print()


if __name__ == "__main__":
    main()
