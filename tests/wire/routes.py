"""Every route of the server, as the tests call it."""

from __future__ import annotations

from .configs import MODEL, TOKEN

EMBED = {"model": MODEL, "input": "hi"}
INPUT = {"input": "hi"}
TOKEN_HEADER = {"Token": TOKEN}
RANK = {"model": MODEL, "query": "hi", "documents": ["hi", "a"]}

# method, path, body, headers beside the key
DATA = [
    ("POST", "/v1/embeddings", EMBED, {}),
    ("POST", "/embeddings", EMBED, {}),
    ("GET", "/v1/models", None, {}),
    ("GET", "/models", None, {}),
    ("GET", f"/v1/models/{MODEL}", None, {}),
    ("GET", f"/models/{MODEL}", None, {}),
    ("POST", f"/v3/openapi/workspaces/default/text-embedding/{MODEL}", INPUT, {}),
    ("POST", "/compatible-mode/v1/embeddings", EMBED, {}),
    ("POST", "/compatible-mode/v1/chat/embeddings", EMBED, {}),
    ("POST", "/v3/openapi/deployments/dep-abc123/predict", INPUT, TOKEN_HEADER),
    ("POST", "/v3/openapi/dep-abc123", INPUT, TOKEN_HEADER),
    ("POST", "/v1/embed", {"model": MODEL, "texts": ["hi"]}, {}),
    ("POST", "/v2/embed", {"model": MODEL, "texts": ["hi"]}, {}),
    ("POST", "/v1/rerank", RANK, {}),
    ("POST", "/rerank", RANK, {}),
    ("POST", "/v2/rerank", RANK, {}),
    ("POST", "/v1/score", {"model": MODEL, "text_1": "hi", "text_2": ["hi", "a"]}, {}),
    ("POST", "/embed", {"inputs": "hi", "model": MODEL}, {}),
    ("POST", "/embed_all", {"inputs": "hi", "model": MODEL}, {}),
    ("POST", "/embed_sparse", {"inputs": "hi", "model": MODEL}, {}),
    ("POST", "/similarity", {"inputs": {"source_sentence": "hi", "sentences": ["a"]}, "model": MODEL}, {}),
    ("POST", "/tokenize", {"inputs": "hi", "model": MODEL}, {}),
    ("POST", "/detokenize", {"tokens": [101], "model": MODEL}, {}),
    ("POST", "/decode", {"ids": [101], "model": MODEL}, {}),
    ("GET", f"/info?model={MODEL}", None, {}),
    ("POST", "/score", {"model": MODEL, "text_1": "hi", "text_2": ["hi", "a"]}, {}),
]
_ANALYZE = f"/v3/openapi/workspaces/default/image-analyze/{MODEL}/async"
TASKS = [
    ("POST", _ANALYZE, {"document": {"content": "aGk="}}, {}),
    ("GET", f"{_ANALYZE}/task-status?task_id=image-analyze-1", None, {}),
]
"""The same, where the bundled model is refused."""
CONTROL = [
    ("POST", "/openapi/ha3/instances/default/models"),
    ("GET", "/openapi/ha3/instances/default/models"),
    ("GET", "/openapi/ha3/instances/default/models/m"),
    ("PUT", "/openapi/ha3/instances/default/models/m"),
    ("DELETE", "/openapi/ha3/instances/default/models/m"),
    ("POST", "/openapi/ha3/instances/default/models/m/actions/debug"),
]
"""What manages models: always with proof of who asks."""
OPEN = ["/health", "/ready", "/metrics", "/docs", "/openapi.json"]
EMBEDDING = [row for row in DATA if "input" in (row[2] or {})]
CLASSIFYING = ["/v1/classify", "/classify", "/predict"]  # the bundled model answers none of them


def name(row: object) -> str:
    """Return a short id for a row of `DATA`."""
    return str(row[1]).strip("/").replace("/", "-") if isinstance(row, tuple) else str(row)
