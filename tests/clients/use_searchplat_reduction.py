"""Reduce vectors as users of `alibabacloud-searchplat20240529` do: python use_searchplat_reduction.py HOST:PORT KEY."""

from __future__ import annotations

import sys
from typing import Any

from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import GetEmbeddingTuningRequest, GetPredictionHeaders, GetPredictionRequest
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from report import Report

SERVICE = "ops-embedding-dim-reduction-001"
RUNTIME = RuntimeOptions(read_timeout=60_000, connect_timeout=5_000)
VECTORS = [[0.1, 0.2, 0.3, 0.4], [4.0, 3.0, 2.0, 1.0]]


def main() -> None:
    endpoint, key, token = sys.argv[1:]
    report = Report()
    client = Client(Config(bearer_token=key, endpoint=endpoint, protocol="http"))

    def tune(given: Any, service: str = SERVICE, **parameters: Any) -> dict[str, Any]:
        request = GetEmbeddingTuningRequest(input=given, parameters=parameters)
        answer = client.get_embedding_tuning_with_options("default", service, request, {}, RUNTIME)
        body = answer.body
        return {
            "status": answer.status_code,
            "request_id": body.request_id,
            "documents": body.usage.doc_count,
            "output": body.result.output,
        }

    def predict(dimension: int) -> dict[str, Any]:
        body = {"input": ["a"], "dimension": dimension}
        headers = GetPredictionHeaders(token=token)
        answer = client.get_prediction_with_options("dep-small", GetPredictionRequest(body=body), headers, RUNTIME)
        return {"status": answer.status_code, "body": answer.body}

    report.ask("tune", lambda: tune(VECTORS, output_dimension=2, model_name="my-model"))
    report.ask("tune_default", lambda: tune(VECTORS, model_name="my-model"))
    report.ask("tune_slash", lambda: tune(VECTORS, SERVICE + "/", output_dimension=2, model_name="my-model"))
    report.ask("tune_long", lambda: tune(VECTORS, output_dimension=5, model_name="my-model"))
    report.ask("tune_nobody", lambda: tune(VECTORS, output_dimension=2, model_name="nobody"))
    report.ask("tune_service", lambda: tune(VECTORS, "no-such-service", model_name="my-model"))
    report.ask("predict", lambda: predict(3))
    report.ask("predict_long", lambda: predict(17))
    report.print()


if __name__ == "__main__":
    main()
