"""Every operation of every dialect answers its own example as its description says; docs/reference/dialects.md lists
them.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from scripts import reference_docs

from embedway.http.operation import Operation
from embedway.http.routes import operations
from embedway.settings import Settings
from tests.server import Server

from .configs import MODEL, TOKEN
from .exchange import KEY, get, post

OPERATIONS = {operation.name: operation for operation in operations(cast(Any, None), Settings())}
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


@pytest.mark.parametrize("name", list(OPERATIONS))
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
