"""Sign with the AI Search Open Platform's client and the generic one: python use_signed.py HOST:PORT ID SECRET."""

from __future__ import annotations

import sys
from typing import Any

from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import GetTextEmbeddingRequest
from alibabacloud_tea_openapi.client import Client as Generic
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from report import Report

RUNTIME = RuntimeOptions(read_timeout=60_000, connect_timeout=5_000)
SERVICE = "m"


def embed(config: Config, workspace: str = "default") -> int:
    """ACS4."""
    request = GetTextEmbeddingRequest(input=["科学技术是第一生产力", "a"], input_type="query")
    answer = Client(config).get_text_embedding_with_options(workspace, SERVICE, request, {}, RUNTIME)
    return len(answer.body.result.embeddings)


def call(config: Config, method: str, path: str, query: Any = None, body: Any = None) -> Any:
    """ACS3, as every client of the control plane signs."""
    params = Params(
        action="Any",
        version="2021-10-25",
        protocol="HTTPS",
        pathname=path,
        method=method,
        auth_type="AK",
        style="ROA",
        req_body_type="json",
        body_type="json",
    )
    return Generic(config).call_api(params, OpenApiRequest(query=query or {}, body=body, headers={}), RUNTIME)["body"]


def main(endpoint: str, key_id: str, secret: str) -> None:
    def config(**changes: str) -> Config:
        given = {"access_key_id": key_id, "access_key_secret": secret, "endpoint": endpoint, "protocol": "http"}
        return Config(**{**given, **changes})

    report = Report()
    path = f"/v3/openapi/workspaces/default/text-embedding/{SERVICE}"
    report.ask("acs4", lambda: embed(config()))
    report.ask("workspace", lambda: embed(config(), "my ws"))
    report.ask("region", lambda: embed(config(region_id="cn-shanghai")))
    for name, form in (("url", f"http://{endpoint}"), ("url_slash", f"http://{endpoint}/")):
        report.ask(name, lambda form=form: embed(config(endpoint=form)))
    report.ask("acs3", lambda: len(call(config(), "POST", path, None, {"input": ["é", "b"]})["result"]["embeddings"]))
    report.ask("get", lambda: call(config(), "GET", "/v1/models", {"a": "x y+z/ü~*", "b": ""})["object"])
    report.ask("secret", lambda: embed(config(access_key_secret="wrong")))
    report.ask("stranger", lambda: embed(config(access_key_id="NOBODY")))
    report.ask("session", lambda: embed(config(security_token="STS.x")))
    report.ask("acs3_secret", lambda: call(config(access_key_secret="wrong"), "POST", path, None, {"input": "b"}))
    report.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
