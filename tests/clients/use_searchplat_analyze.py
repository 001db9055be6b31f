"""Ask a server what users of the platform's image content extraction ask, as its help page has them do it.

python use_searchplat_analyze.py HOST:PORT KEY FILE        # of a picture
"""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path
from typing import Any

from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import (
    CreateImageAnalyzeTaskRequest,
    CreateImageAnalyzeTaskRequestDocument,
    GetImageAnalyzeTaskStatusRequest,
)
from use_searchplat import RUNTIME, open_client

from report import Report

SERVICE, RELAY = "ops-image-analyze-vlm-001", "relay"
LIMIT_S = 60.0


def ask(client: Client, report: Report, picture: str) -> None:
    def create(service: str = SERVICE, **document: str) -> Any:
        request = CreateImageAnalyzeTaskRequest(document=CreateImageAnalyzeTaskRequestDocument(**document))
        return client.create_image_analyze_task_with_options("default", service, request, {}, RUNTIME)

    def look(task_id: str, workspace: str = "default", service: str = SERVICE) -> Any:
        request = GetImageAnalyzeTaskStatusRequest(task_id=task_id)
        return client.get_image_analyze_task_status_with_options(workspace, service, request, {}, RUNTIME)

    def analyze(service: str = SERVICE) -> dict[str, Any]:
        created = create(service, content=picture, file_name="fox.png", file_type="png")
        task_id, until_s = created.body.result.task_id, time.monotonic() + LIMIT_S
        while (answer := look(task_id, service=service)).body.result.status == "PENDING":
            assert time.monotonic() < until_s
            time.sleep(0.05)
        result, usage = answer.body.result, answer.body.usage
        return {
            "created": created.body.to_map(),
            "task_id": result.task_id,
            "status": result.status,
            "error": result.error,
            "data": result.data and result.data.to_map(),
            "usage": usage.to_map(),
            "request_id": answer.body.request_id,
            "latency": answer.body.latency,
        }

    report.ask("analyze", analyze)
    report.ask("relay", lambda: analyze(RELAY))
    report.ask("elsewhere", lambda: look(report.answers["analyze"]["task_id"], "other"))
    report.ask("unknown_task", lambda: look("image-analyze-1"))
    report.ask("unknown_service", lambda: create("no-such-service", content=picture))
    report.ask("not_registered", lambda: create("ops-image-analyze-ocr-001", content=picture))
    report.ask("no_picture", lambda: create(content=base64.b64encode(b"%PDF-1.7").decode(), file_type="png"))
    report.ask("url", lambda: create(url="http://169.254.169.254/latest/meta-data.png"))


def main() -> None:
    endpoint, key, file = sys.argv[1:]
    report = Report()
    ask(open_client(endpoint, key), report, base64.b64encode(Path(file).read_bytes()).decode())
    report.print()


if __name__ == "__main__":
    main()
