"""The operations of OpenSearch Vector Search Edition's model registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from embedway.http.dialects.instances import (
    MAX_PAGE,
    MAX_PAGES,
    PAGE_SIZE,
    CreateModelBody,
    DebugModelBody,
    DebugReply,
    Done,
    ModelReply,
    ModelsReply,
    ModifyModelBody,
)
from embedway.http.dialects.registry import Models
from embedway.http.operation import Operation
from embedway.http.operations.parts import INSTANCES, Parts
from embedway.types import RemoteKind

_MODELS = "/openapi/ha3/instances/{instance}/models"
_MODEL = f"{_MODELS}/{{model:path}}"
DEFINITION = {
    "modelType": "text_embedding",
    "dimension": 384,
    "url": "https://embeddings.example.com/v1/embeddings",
    "method": "POST",
    "request": {
        "header": {"Authorization": "Bearer OS-v0aaaaaaaa6vvs", "Content-Type": "application/json"},
        "requestBody": '{"model": "all-MiniLM-L6-v2", "input": ["%{input}"]}',
    },
    "response": {"embeddings": "$.data[*].embedding"},
}

FLAG = {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"}
_DRY_RUN = FLAG | {"description": "`true`: check and probe, and store nothing. A problem is then an error."}


def models(parts: Parts) -> Sequence[Operation]:
    """On all models of an instance."""
    answers = Models(parts.registry)
    return [
        Operation(
            name="CreateModel",
            dialect=INSTANCES,
            method="POST",
            paths=(_MODELS,),
            answer=answers.create,
            summary="Register a model behind a URL (OpenSearch Vector Search Edition)",
            body_type=CreateModelBody,
            reply_type=Done,
            action="searchengine:CreateModel",
            selective=True,
            example={"name": "remote-minilm", "content": DEFINITION},
            query={"dryRun": _DRY_RUN},
        ),
        Operation(
            name="ListModels",
            dialect=INSTANCES,
            method="GET",
            paths=(_MODELS,),
            answer=answers.list,
            summary="The models of an instance, in pages (OpenSearch Vector Search Edition)",
            reply_type=ModelsReply,
            action="searchengine:ListModels",
            query={
                "name": {"type": "string", "description": "Only the model of this name."},
                "type": {"enum": list(get_args(RemoteKind)), "description": "Only models of this type."},
                "pageNumber": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_PAGES,
                    "description": "Which page. Default: 1.",
                },
                "pageSize": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_PAGE,
                    "description": f"Models to a page. Default: {PAGE_SIZE}.",
                },
            },
        ),
    ]


def model(parts: Parts) -> Sequence[Operation]:
    """On one model."""
    answers = Models(parts.registry)
    return [
        Operation(
            name="DebugModel",
            dialect=INSTANCES,
            method="POST",
            paths=(f"{_MODEL}/actions/debug",),
            answer=answers.debug,
            summary="Ask a model and see what was sent and what came back (OpenSearch Vector Search Edition)",
            body_type=DebugModelBody,
            reply_type=DebugReply,
            action="searchengine:DebugModel",
            example={"input": "hello"},
            query={
                "isOnline": FLAG | {"description": "`true`: ask as for a search, else as for the index's building."}
            },
        ),
        Operation(
            name="GetModel",
            dialect=INSTANCES,
            method="GET",
            paths=(_MODEL,),
            answer=answers.get,
            summary="One model with its definition, secrets masked (OpenSearch Vector Search Edition)",
            reply_type=ModelReply,
            action="searchengine:GetModel",
        ),
        Operation(
            name="ModifyModel",
            dialect=INSTANCES,
            method="PUT",
            paths=(_MODEL,),
            answer=answers.modify,
            summary="Change keys of a definition, or switch a model off and on (OpenSearch Vector Search Edition)",
            body_type=ModifyModelBody,
            reply_type=Done,
            action="searchengine:ModifyModel",
            example={"content": {"dimension": 384}, "status": "ok"},
            query={"dryRun": _DRY_RUN},
        ),
        Operation(
            name="DeleteModel",
            dialect=INSTANCES,
            method="DELETE",
            paths=(_MODEL,),
            answer=answers.delete,
            summary="Remove a model (OpenSearch Vector Search Edition)",
            reply_type=Done,
            action="searchengine:DeleteModel",
        ),
    ]
