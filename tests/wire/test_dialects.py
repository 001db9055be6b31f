"""Every operation of every dialect answers its own example as its description says; docs/reference/dialects.md lists
them.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from scripts import reference_docs

from embedway.http.operation import Operation
from embedway.http.operations.parts import make_parts
from embedway.http.routes import operations
from embedway.settings import Settings
from tests.server import Server

from .configs import MODEL, TOKEN
from .exchange import KEY, get, post, send
from .registry import ADMIN, MODELS, call, create

OPERATIONS = {operation.name: operation for operation in operations(make_parts(cast(Any, None), Settings()))}
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France."]
BODIES: dict[str, Any] = {
    "rerankInfinity": {"query": "Paris?", "documents": DOCUMENTS, "raw_scores": True},
    "rerankTexts": {"query": "Paris?", "texts": DOCUMENTS},
    "tokenizePrompt": {"prompt": "hello"},
}
"""For those that share a path and have no example of their own."""
NEEDS = {"classify": "moods", "predict": "moods", "score": MODEL, "rerank": MODEL}
"""Models that are asked for where the server has several."""
PICTURED = ("GetMultiModalEmbedding", "GetMultiModalReranker")
TASKS = ("CreateImageAnalyzeTask", "GetImageAnalyzeTaskStatus")
SDK = Path(__file__).parents[1] / "sdk"


def ask(server: Server, operation: Operation, model: str, key: str | None) -> Any:
    """Send the example to the first path."""
    path = operation.paths[0]
    for name, value in {
        "workspace": "default",
        "service_id": model,
        "deployment_id": "dep-abc123",
        "model": model,
    }.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
    body = BODIES.get(operation.name, operation.example)
    headers = {"Token": TOKEN}
    if operation.method == "GET":
        return get(server, f"{path}?model={model}" if operation.name == "info" else path, key=key)
    named = operation.body_type is not None and "model" in operation.body_type.__struct_fields__
    return post(server, path, body | {"model": model} if named else body, key=key, headers=headers)


MANAGING = [name for name, operation in OPERATIONS.items() if "/models" in operation.paths[0] and operation.action]


@pytest.mark.parametrize("name", MANAGING)
def test_the_example_of_an_action(name: str, registry: Server) -> None:
    """The same for what manages models, on a model that is registered for it."""
    operation, example = OPERATIONS[name], OPERATIONS["CreateModel"].example
    path = operation.paths[0].removeprefix(MODELS.format("{instance}")).replace("{model:path}", "example")
    if name != "CreateModel":
        create(registry, "example", example["content"])
    answer = call(registry, operation.method, path, operation.example)
    assert answer.status == 200, answer.body[:500]
    msgspec.json.decode(answer.body, type=operation.reply_type)
    left = "example" if name != "CreateModel" else example["name"]
    assert call(registry, "DELETE", f"/{left}").status == (404 if name == "DeleteModel" else 200)


def test_the_example_of_usage(registry: Server) -> None:
    """The same for what tells what was used."""
    answer = get(registry, "/openapi/platform/usage?by=model", key=ADMIN)
    assert answer.status == 200, answer.body[:500]
    msgspec.json.decode(answer.body, type=OPERATIONS["GetUsage"].reply_type)


PLATFORM = [
    name for name, operation in OPERATIONS.items() if operation.dialect.name == "platform" and name != "GetUsage"
]
IN_ORDER = (
    *("CreateWorkspace", "ListWorkspaces", "GetWorkspace", "UpdateWorkspace", "ListServices"),
    *("CreateCredentials", "ListCredentials", "GetCredentials", "UpdateCredentials", "DeleteCredentials"),
    *("CreateFunctionInstance", "ListFunctionInstances", "GetFunctionInstance", "UpdateFunctionInstance"),
    *("CreateFunctionTask", "CeaseFunctionInstance", "ResumeFunctionInstance", "DeleteFunctionInstance"),
    "DeleteWorkspace",
)


def test_the_examples_of_the_platform(registry: Server) -> None:
    """One after the other, in an order that makes sense, in a workspace of its own; a deployment is not trained."""
    assert set(IN_ORDER) == set(PLATFORM)
    given = {"workspace": "acme", "function": "deployment", "name": "shop", "token": ""}
    for name in IN_ORDER:
        operation = OPERATIONS[name]
        body = json.loads(json.dumps(operation.example).replace(MODEL, "local"))
        answer = send(registry, operation.method, operation.paths[0].format(**given), body, key=ADMIN)
        assert answer.status == (400 if name == "CreateFunctionTask" else 200), (name, answer.body[:500])
        shape = operation.reply_type if answer.status == 200 else operation.dialect.error_type
        msgspec.json.decode(answer.body, type=shape)
        if name == "CreateCredentials":
            given["token"] = answer.json()["result"]["token"]


@pytest.mark.parametrize(
    "name", [name for name in OPERATIONS if name not in (*MANAGING, *PLATFORM, *TASKS, "GetUsage")]
)
def test_the_example(name: str, ranking: Server, pictured: Server, keyed: Server, reduced: Server) -> None:
    """200, and a reply of the shape that the OpenAPI document describes."""
    operation = OPERATIONS[name]
    if name in PICTURED:
        answer = ask(pictured, operation, "clip", None)
    elif name == "GetEmbeddingTuning":
        answer = ask(reduced, operation, "ops-embedding-dim-reduction-001", None)
    elif name == "GetPrediction":
        answer = ask(keyed, operation, MODEL, KEY)
    else:
        answer = ask(ranking, operation, NEEDS.get(name, MODEL), None)
    assert answer.status == 200, answer.body[:500]
    msgspec.json.decode(answer.body, type=operation.reply_type)


def test_the_examples_of_tasks(analyst: Server) -> None:
    """The same; the second is asked after the task that the first one made."""
    create, look = (OPERATIONS[name] for name in TASKS)
    created = ask(analyst, create, "analyst", KEY)
    assert created.status == 200, created.body[:500]
    task_id = msgspec.json.decode(created.body, type=create.reply_type).result.task_id
    path = look.paths[0].replace("{workspace}", "default").replace("{service_id:path}", "analyst")
    answer = get(analyst, f"{path}?task_id={task_id}", key=KEY)
    assert answer.status == 200, answer.body[:500]
    assert msgspec.json.decode(answer.body, type=look.reply_type).result.task_id == task_id


def test_every_operation_is_in_the_table() -> None:
    """And nothing else is."""
    assert set(reference_docs.CELLS) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "client"), [(name, client) for name, (_, tests) in reference_docs.CELLS.items() for client in tests]
)
def test_the_clients_test_is_there(operation: str, client: str) -> None:
    """The table names tests that exist."""
    page, _, function = reference_docs.CELLS[operation][1][client].partition("::")
    tree = ast.parse((SDK / page).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_what_is_shown_once_is_not_lost_to_a_head(registry: Server) -> None:
    """The control plane has no HEAD: it would show a token to nobody."""
    answer = send(registry, "HEAD", "/openapi/platform/workspaces", key=ADMIN)
    assert answer.status == 405
    assert "HEAD" not in answer.headers["allow"]
