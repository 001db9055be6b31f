"""`alibabacloud-searchplat20240529`: image content extraction, by a service and by a second model that asks for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.backends.services import Question, Reply, misbehaving
from tests.server import Server, serving
from tests.wire.exchange import KEY, post

from .conftest import report

Report = dict[str, Any]


def describe(question: Question) -> Reply:
    """Says how large the image is, in base64."""
    return Reply(body=orjson.dumps({"said": f"{len(question.json()['image'])} characters, ünïcode"}))


def register(server: Server, name: str, url: str, body: str, found: str) -> None:
    content = {
        "modelType": "image_analyze",
        "url": url,
        "request": {"requestBody": body, "header": {"Authorization": f"Bearer {KEY}"}},
        "response": {"embeddings": found},
    }
    answer = post(server, "/openapi/ha3/instances/default/models", {"name": name, "content": content}, key="admin")
    assert answer.status == 200, answer.body


@pytest.fixture(scope="module")
def found(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the client reports. `relay` is the server's own task route, as a second Embedway's would be."""
    folder = tmp_path_factory.mktemp("analyze")
    flags = ("--api-key", KEY, "--admin-key", "admin", "--allow-private-urls", "--model", "texts=fake:8")
    store = f"sqlite:///{folder / 'embedway.db'}"
    with misbehaving(describe) as service, serving(folder, *flags, "--database-url", store) as server:
        register(server, "ops-image-analyze-vlm-001", service.url, '{"image": "%{input}"}', "$.said")
        tasks = f"{server.url}/v3/openapi/workspaces/default/image-analyze/ops-image-analyze-vlm-001/async"
        register(server, "relay", tasks, '{"document": {"content": "%{input}"}}', "$.result.data.content")
        endpoint = server.url.removeprefix("http://")
        return report("searchplat", endpoint, KEY, str(files / "wide.png"), script="searchplat_analyze")


@pytest.mark.parametrize("name", ["analyze", "relay"])
def test_a_task_from_its_creation_to_its_result(found: Report, files: Path, name: str) -> None:
    """As the vendor's own sample does it: create, ask until it is no more PENDING, read the content."""
    done = found[name]
    assert "raised" not in done, done
    assert re.fullmatch(r"image-analyze-[0-9a-f]{32}", done["task_id"])
    assert done["created"]["result"] == {"task_id": done["task_id"]}
    assert (done["status"], done["error"]) == ("SUCCESS", None)
    size = -(-(files / "wide.png").stat().st_size // 3) * 4
    assert done["data"] == {"content": f"{size} characters, ünïcode", "content_type": "text", "page_num": 1}
    assert done["usage"]["pv_count"] == 1
    assert done["usage"]["token_count"] > 0
    assert done["request_id"]
    assert done["latency"] >= 0


@pytest.mark.parametrize(
    ("name", "code", "status", "said"),
    [
        ("elsewhere", "NotFound", 404, "The workspace has no task"),
        ("unknown_task", "NotFound", 404, "The workspace has no task 'image-analyze-1'"),
        ("unknown_service", "ServiceIdNotExist", 400, "Register a model of type image_analyze under this name"),
        ("not_registered", "ServiceIdNotExist", 400, "Register a model of type image_analyze under this name"),
        ("no_picture", "InvalidParameter", 400, "not a PNG, JPEG, WebP, GIF or BMP file"),
        ("url", "InvalidParameter", 400, "fetches no URLs"),
    ],
)
def test_errors(found: Report, name: str, code: str, status: int, said: str) -> None:
    """Every refusal has the platform's code and says what is wrong."""
    refused = found[name]
    assert refused["raised"] == "UnretryableException"
    assert refused["code"] == code
    assert refused["data"]["statusCode"] == status
    assert said in refused["data"]["message"]
