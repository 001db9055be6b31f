"""Have the vendor's own clients sign requests, and keep what arrived: `.venv-clients/searchplat/bin/python capture.py`.

Writes `signed.json` beside this file: for each request its method, target, headers in order and body (base64). The
access key is made up. ACS4 is what the AI Search Open Platform's client signs with an access key, ACS3 what the generic
client signs for the paths of Vector Search Edition's models.
"""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

from alibabacloud_searchplat20240529.client import Client as Platform
from alibabacloud_searchplat20240529.models import GetImageAnalyzeTaskStatusRequest, GetTextEmbeddingRequest
from alibabacloud_tea_openapi.client import Client as Generic
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

KEY_ID, SECRET = "EWAKtest", "a-made-up-secret-of-no-account"
SIGNED = Path(__file__).with_name("signed.json")
RUNTIME = RuntimeOptions(read_timeout=5_000, connect_timeout=5_000)
MODELS = "/openapi/ha3/instances/ha-cn-test001/models"


class Keeper(BaseHTTPRequestHandler):
    """Keeps each request and answers an empty object."""

    kept: ClassVar[list[dict[str, Any]]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        kept = {"method": self.command, "target": self.path, "headers": self.headers.items()}
        self.kept.append({**kept, "body": base64.b64encode(body).decode()})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  http.server's names

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def config(endpoint: str, **more: str) -> Config:
    return Config(access_key_id=KEY_ID, access_key_secret=SECRET, endpoint=endpoint, protocol="http", **more)


def embed(client: Platform, workspace: str, texts: Any) -> None:
    request = GetTextEmbeddingRequest(input=texts, input_type="query")
    client.get_text_embedding_with_options(workspace, "ops-text-embedding-002", request, {}, RUNTIME)


def manage(client: Generic, action: str, method: str, path: str, query: Any = None, body: Any = None) -> None:
    """Call the control plane as the generated client does."""
    params = Params(
        action=action,
        version="2021-10-25",
        protocol="HTTPS",
        pathname=path,
        method=method,
        auth_type="AK",
        style="ROA",
        req_body_type="json",
        body_type="json",
    )
    client.call_api(params, OpenApiRequest(query=query or {}, body=body, headers={}), RUNTIME)


def ask(endpoint: str) -> dict[str, Any]:
    """Make every call; returns its name and what is particular about it."""
    platform, generic = Platform(config(endpoint)), Generic(config(endpoint))
    encode = Utils.get_encode_param
    status = GetImageAnalyzeTaskStatusRequest(task_id="image-analyze 1+2/3=ü")
    calls = {
        "acs4": lambda: embed(platform, "default", ["a"]),
        "acs4 with text of many languages": lambda: embed(platform, "default", ["科学技术是第一生产力", "é\n\"'"]),
        "acs4 with a workspace that is escaped": lambda: embed(platform, "my ws", ["a"]),
        "acs4 with a workspace of many languages": lambda: embed(platform, "büro", ["a"]),
        "acs4 with a query": lambda: platform.get_image_analyze_task_status_with_options(
            "default", "ops-image-analyze-vlm-001", status, {}, RUNTIME
        ),
        "acs4 of a region": lambda: embed(Platform(config(endpoint, region_id="cn-shanghai")), "default", ["a"]),
        "acs4 with a URL as host": lambda: embed(Platform(config(f"http://{endpoint}")), "default", ["a"]),
        "acs4 of a session": lambda: embed(Platform(config(endpoint, security_token="STS.x")), "default", ["a"]),
        "acs3 create": lambda: manage(
            generic, "CreateModel", "POST", MODELS, {"dryRun": "true"}, {"name": "m1", "content": {"dimension": 3}}
        ),
        "acs3 list": lambda: manage(
            generic,
            "ListModels",
            "GET",
            MODELS,
            {"name": "a b+c/d=ü~*", "pageNumber": "1", "pageSize": "10", "type": ""},
        ),
        "acs3 get": lambda: manage(generic, "GetModel", "GET", f"{MODELS}/m1"),
        "acs3 get a name with a slash": lambda: manage(generic, "GetModel", "GET", f"{MODELS}/{encode('a/b c')}"),
        "acs3 modify": lambda: manage(generic, "ModifyModel", "PUT", f"{MODELS}/m1", None, {"status": "ok"}),
        "acs3 delete": lambda: manage(generic, "DeleteModel", "DELETE", f"{MODELS}/m1"),
        "acs3 debug": lambda: manage(
            generic, "DebugModel", "POST", f"{MODELS}/m1/actions/debug", {"isOnline": "true"}, {"input": "hello"}
        ),
        "acs3 with a URL as host": lambda: manage(
            Generic(config(f"http://{endpoint}/")), "GetModel", "GET", f"{MODELS}/m1"
        ),
        "acs3 of a session": lambda: manage(
            Generic(config(endpoint, security_token="STS.x")), "GetModel", "GET", f"{MODELS}/m1"
        ),
    }
    for call in calls.values():
        call()
    return dict(zip(calls, Keeper.kept, strict=True))


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    SIGNED.write_text(json.dumps(ask(f"127.0.0.1:{server.server_port}"), indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
