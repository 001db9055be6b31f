"""Registering models: where, what, and by whom."""

from __future__ import annotations

import copy
from typing import Any

from tests.server import Server

from .exchange import Answer, send

ADMIN = "OS-adminkey"
SECRET = "OS-v0abcdefghijklm6vvs"
SHOWN = "Bearer OS-v0********6vvs"
MODELS = "/openapi/ha3/instances/{}/models"
INSTANCE = "ha-cn-x"

REGISTRY = f"""
admin_key = "{ADMIN}"
api_key = "OS-testkey"
allow_private_urls = true
probe_interval_s = 3600
remote_timeout_s = 2

[[model]]
name = "local"
source = "fake:8"
aliases = ["also-local"]

[[instance]]
id = "{INSTANCE}"
"""

SAMPLE: dict[str, Any] = {
    "modelType": "text_embedding",
    "dimension": 128,
    "url": "http://127.0.0.1:9/v3/openapi/workspaces/default/text-embedding/ops-text-embedding-001",
    "method": "POST",
    "request": {
        "header": {"Authorization": f"Bearer {SECRET}\n", "Content-Type": "application/json\n"},
        "urlParams": {"build": {"test": "test", "test2": 1}, "search": {"test": "test", "test2": 1}},
        "requestBody": '{\\"input\\": [\\"%{input}\\"], \\"input_type\\": \\"%{input_type}\\"}\n',
        "parameters": {"build": {"input_type": "query\n"}, "search": {"input_type": "document\n"}},
    },
    "response": {"embeddings": "$.result.embeddings[*].embedding\n"},
}
"""The vendor's own sample of a definition (GetModel), with a whole secret: its values end with line breaks, and its
template is escaped once too often."""


def definition(url: str, **more: Any) -> dict[str, Any]:
    """A definition for `tests.backends.services`, whose vectors have two numbers."""
    return {
        "modelType": "text_embedding",
        "dimension": 2,
        "url": url,
        "method": "POST",
        "request": {
            "header": {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"},
            "requestBody": '{"input": ["%{input}"], "input_type": "${input_type}"}',
            "parameters": {"build": {"input_type": "document"}, "search": {"input_type": "query"}},
        },
        "response": {"embeddings": "$.result.embeddings[*].embedding"},
    } | copy.deepcopy(more)


def call(server: Server, method: str, path: str = "", body: Any = None, instance: str = "default") -> Answer:
    """Ask the registry of an instance as an admin; `path` begins behind `models`."""
    return send(server, method, MODELS.format(instance) + path, body, headers={"Authorization": f"Bearer {ADMIN}"})


def create(server: Server, name: str, content: Any, instance: str = "default") -> Answer:
    """Register a model, which must succeed."""
    answer = call(server, "POST", body={"name": name, "content": content}, instance=instance)
    assert answer.status == 200, answer.body
    return answer


def get(server: Server, name: str, instance: str = "default") -> Any:
    """A model as it is shown."""
    answer = call(server, "GET", f"/{name}", instance=instance)
    assert answer.status == 200, answer.body
    return answer.json()["result"]
