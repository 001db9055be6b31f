"""Health, readiness, metrics and documentation."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.server import Server

from .configs import MODEL
from .exchange import get, post
from .routes import CLASSIFYING, CONTROL, DATA, OPEN, TASKS

PARAMETER = re.compile(r"\{[^}]+\}")
METRICS = {
    "embedway_requests",
    "embedway_request_seconds",
    "embedway_phase_seconds",
    "embedway_queue_items",
    "embedway_queue_tokens",
    "embedway_batch_items",
    "embedway_batch_tokens",
    "embedway_tokens",
    "embedway_rejections",
    "embedway_model_ready",
}


def test_health(plain: Server) -> None:
    """`/health` is 200 with a status and the time."""
    answer = get(plain, "/health")
    assert answer.status == 200
    body = answer.json()
    assert isinstance(body["status"], str)
    assert type(body["unix"]) is float


def test_ready(plain: Server) -> None:
    """`/ready` is 200 when every model is warm, and names each."""
    answer = get(plain, "/ready")
    assert answer.status == 200
    assert MODEL in answer.body.decode()
    answer.json()


def test_unknown_path(plain: Server) -> None:
    """A path of no dialect is 404 with a JSON object."""
    for path in ("/", "/nothing", "/health/more", "/docs/../../etc/passwd", "/docs/%2e%2e/%2e%2e/app.py"):
        answer = get(plain, path)
        assert answer.status == 404, path
        assert isinstance(answer.json(), dict)


def samples(server: Server) -> dict[str, list[Any]]:
    """Return the metrics of a server by family."""
    answer = get(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family.samples for family in text_string_to_metric_families(answer.body.decode())}


def counted(server: Server, family: str, **labels: str) -> float:
    """Return the sum of a counter over the samples that carry these labels."""
    found = samples(server)[family]
    return sum(
        sample.value for sample in found if sample.name.endswith("_total") and labels.items() <= sample.labels.items()
    )


def test_metrics_are_complete(plain: Server) -> None:
    """Requests, phases, queue, batches, tokens, rejections and readiness are there, in Prometheus's text form."""
    post(plain, "/v1/embeddings", {"model": MODEL, "input": "hi"})
    assert samples(plain).keys() >= METRICS


def test_metrics_count(plain: Server) -> None:
    """A request adds one to the requests and its tokens to the tokens; a refused one adds to the status it got."""
    before = counted(plain, "embedway_requests", status="200"), counted(plain, "embedway_tokens", model=MODEL)
    post(plain, "/v1/embeddings", {"model": MODEL, "input": "I believe the meaning of life is"})
    after = counted(plain, "embedway_requests", status="200"), counted(plain, "embedway_tokens", model=MODEL)
    assert after[0] >= before[0] + 1
    assert after[1] == before[1] + 9
    refused = counted(plain, "embedway_requests", status="404")
    post(plain, "/v1/embeddings", {"model": "no-such-model", "input": "hi"})
    assert counted(plain, "embedway_requests", status="404") == refused + 1


def test_model_is_ready_in_the_metrics(plain: Server) -> None:
    """The bundled model shows 1, with its precision."""
    ready = [sample for sample in samples(plain)["embedway_model_ready"] if sample.labels["model"] == MODEL]
    assert [sample.value for sample in ready] == [1.0]
    assert ready[0].labels["dtype"] == "fp32"


def test_metrics_hold_no_unknown_names(plain: Server) -> None:
    """What a caller sends never becomes a label: neither model names nor paths."""
    post(plain, "/v1/embeddings", {"model": "made-up-by-a-caller", "input": "hi"})
    get(plain, "/made-up-by-a-caller")
    assert b"made-up-by-a-caller" not in get(plain, "/metrics").body


def test_openapi_lists_every_route(plain: Server) -> None:
    """The document is OpenAPI 3.1, and each route of the tests is in it with its method."""
    document = get(plain, "/openapi.json").json()
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    templates = {template: set(row) for template, row in document["paths"].items()}
    known = [(row[0], row[1].partition("?")[0]) for row in (*DATA, *TASKS)] + CONTROL
    known += [("POST", path) for path in CLASSIFYING]
    for method, path in known + [("GET", path) for path in OPEN[:3]]:
        fitting = [found for template, found in templates.items() if fits(template, path)]
        assert any(method.lower() in found for found in fitting), f"{method} {path}"


def fits(template: str, path: str) -> bool:
    """Say whether a path belongs to a template with parameters."""
    pattern = "[^/]+".join(re.escape(part) for part in PARAMETER.split(template))
    return re.fullmatch(pattern, path) is not None


def test_openapi_is_sound(plain: Server) -> None:
    """Every reference leads somewhere, every path parameter is declared, and no operation id is given twice."""
    document = get(plain, "/openapi.json").json()
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step.replace("~1", "/").replace("~0", "~")]
    ids = []
    for template, row in document["paths"].items():
        for method, operation in row.items():
            if method not in ("get", "post", "put", "delete", "patch"):
                continue
            ids.append(operation["operationId"])
            assert operation["responses"]
            declared = [*row.get("parameters", []), *operation.get("parameters", [])]
            names = {one["name"] for one in declared if one.get("in") == "path"}
            assert {found.strip("{}") for found in PARAMETER.findall(template)} == names, template
    assert len(ids) == len(set(ids))


def references(node: Any) -> list[str]:
    """Return every `$ref` below a node."""
    if isinstance(node, list):
        return [found for one in node for found in references(one)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for one in node.values() for found in references(one)]


class Assets(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the address of a script, a style sheet or an image."""
        given = dict(attrs)
        address = given.get("src") or (given.get("href") if tag == "link" else None)
        if address:
            self.found.append(address)


def test_docs_load_from_the_server_alone(plain: Server) -> None:
    """The page works offline: each asset it names comes from this server, and it shows this server's document."""
    answer = get(plain, "/docs")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.body.decode()
    assert not re.search(r"(https?:)?//(?!127\.0\.0\.1)[a-z0-9-]+\.[a-z]", page)
    assert "openapi.json" in page or any("init" in one for one in assets(page))
    assert any(one.endswith(".js") for one in assets(page))
    assert any(one.endswith(".css") for one in assets(page))
    for address in assets(page):
        if address.startswith("data:"):
            continue
        path = address if address.startswith("/") else "/" + address.removeprefix("./")
        found = get(plain, path)
        assert found.status == 200, path
        assert len(found.body) > 50, path


def assets(page: str) -> list[str]:
    """Return the addresses that a page loads."""
    parser = Assets()
    parser.feed(page)
    return parser.found


@pytest.mark.parametrize("path", OPEN)
def test_operations_are_read_only(plain: Server, path: str) -> None:
    """POST is 405 with a JSON object."""
    answer = post(plain, path, {})
    assert answer.status == 405
    assert isinstance(answer.json(), dict)
