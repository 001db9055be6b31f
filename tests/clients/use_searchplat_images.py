"""Ask a server what users of the platform's multimodal services ask.

python use_searchplat_images.py HOST:PORT KEY TOKEN FOLDER        # of pictures
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import (
    GetMultiModalEmbeddingRequest,
    GetMultiModalEmbeddingRequestInput,
    GetMultiModalRerankerRequest,
    GetMultiModalRerankerRequestDocs,
    GetMultiModalRerankerRequestQuery,
    GetPredictionHeaders,
    GetPredictionRequest,
)
from use_searchplat import RUNTIME, open_client

from report import Report

SERVICE, RANKER, DEPLOYMENT = "ops-m2-encoder", "ops-mm-reranker-001", "dep-pictures"
TEXT = "A brown fox."


def ask(client: Client, report: Report, pictures: dict[str, str], token: str) -> None:
    one, two = pictures["wide.png"], pictures["tall.jpg"]

    def embed(*elements: dict[str, str]) -> dict[str, Any]:
        given = [GetMultiModalEmbeddingRequestInput(**element) for element in elements]
        answer = client.get_multi_modal_embedding_with_options(
            "default", SERVICE, GetMultiModalEmbeddingRequest(input=given), {}, RUNTIME
        )
        usage = answer.body.usage
        return {
            "indexes": [row.index for row in answer.body.result.embeddings],
            "vectors": [row.embedding for row in answer.body.result.embeddings],
            "usage": [usage.image, usage.image_token, usage.text_token, usage.token_count],
        }

    def rank(query: dict[str, str], *documents: dict[str, str]) -> list[tuple[int, float]]:
        request = GetMultiModalRerankerRequest(
            query=GetMultiModalRerankerRequestQuery(**query),
            docs=[GetMultiModalRerankerRequestDocs(**document) for document in documents],
        )
        answer = client.get_multi_modal_reranker_with_options("default", RANKER, request, {}, RUNTIME)
        return [(one.index, one.score) for one in answer.body.result.scores]

    def predict(kind: str, *data: str) -> str:
        headers = GetPredictionHeaders(token=token)
        request = GetPredictionRequest(body={"type": kind, "data": list(data)})
        body: str = client.get_prediction_with_options(DEPLOYMENT, request, headers, RUNTIME).body
        return body

    report.ask("mixed", lambda: embed({"text": TEXT}, {"image": one}, {"image": f"data:image/jpeg;base64,{two}"}))
    report.ask("both", lambda: embed({"text": TEXT, "image": one}))
    report.ask("broken", lambda: embed({"text": TEXT}, {"image": base64.b64encode(b"no picture").decode()}))
    report.ask("url", lambda: embed({"image": "http://169.254.169.254/latest/meta-data"}))
    report.ask("rank", lambda: rank({"image": one}, {"text": TEXT}, {"image": two}, {"image": one}))
    report.ask("predict_image", lambda: predict("image", f"data:image/png;base64,{one}", two))
    report.ask("predict_text", lambda: predict("text", TEXT))
    report.ask("predict_kind", lambda: predict("audio", TEXT))


def main() -> None:
    endpoint, key, token, folder = sys.argv[1:]
    pictures = {path.name: base64.b64encode(path.read_bytes()).decode() for path in Path(folder).iterdir()}
    report = Report()
    ask(open_client(endpoint, key), report, pictures, token)
    report.print()


if __name__ == "__main__":
    main()
