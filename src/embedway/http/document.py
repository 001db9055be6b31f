"""The OpenAPI 3.1 document, made from the operations: what is served is what is documented."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from embedway import __version__
from embedway.http.operation import Operation

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key; for what manages models an admin key."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "ACS3-HMAC-SHA256 or ACS4-HMAC-SHA256, signed with an access key.",
    },
}
PROOFS: Sequence[dict[str, list[str]]] = [{"key": []}, {"signature": []}]
_ERRORS = {"4XX": "The request is refused", "5XX": "The server failed or is not ready"}


def openapi(operations: Sequence[Operation], root_path: str, keyless: bool, protected: bool) -> dict[str, Any]:
    """The document as a JSON-ready dict. Schemas are the wire structs' own (JSON Schema 2020-12).

    `protected` says that /metrics asks for a key too.
    """
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    references = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = _operational_paths(protected)
    for operation in operations:
        for number, path in enumerate(operation.paths):
            described = _describe(operation, number, path, references)
            place = paths.setdefault(_PARAMETER.sub(r"{\1}", path), {})
            method = operation.method.lower()
            place[method] = _either(place[method], described) if method in place else described
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Embedway",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }
    if not keyless:
        document["security"] = PROOFS
    return document


def _types(operations: Sequence[Operation]) -> list[Any]:
    """Every wire type once. Two dialects may call theirs the same: msgspec tells them apart."""
    found: dict[Any, None] = {}
    for operation in operations:
        for kind in (operation.body_type, operation.reply_type, operation.dialect.error_type):
            if kind is not None:
                found[kind] = None
    return list(found)


def _describe(operation: Operation, number: int, path: str, references: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name + (f"_{number + 1}" if number else ""),
        "summary": operation.summary,
        "tags": [operation.dialect.name],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in _PARAMETER.findall(path)
        ]
        + [{"name": name, "in": "query", **_parameter(schema)} for name, schema in operation.query.items()],
        "responses": {"200": _json("Answered", references[operation.reply_type])}
        | {status: _json(words, references[operation.dialect.error_type]) for status, words in _ERRORS.items()},
    }
    if operation.body_type is not None:
        media = {"schema": references[operation.body_type]}
        if operation.example is not None:
            media["example"] = operation.example
        described["requestBody"] = {"required": True, "content": {"application/json": media}}
    if not operation.guarded:
        described["security"] = []
    if operation.action is not None:
        described["security"] = PROOFS
    return described


def _parameter(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a parameter stands beside its schema."""
    bare = {key: value for key, value in schema.items() if key != "description"}
    return {"description": schema["description"], "schema": bare}


def _either(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two operations of one path as one: the first's name, and the bodies and replies of both."""
    merged = first | {
        "summary": f"{first['summary']}; {second['summary']}",
        "tags": [*first["tags"], *(tag for tag in second["tags"] if tag not in first["tags"])],
        "responses": {
            status: _json(words["description"], _any_of(_schema(words), _schema(second["responses"][status])))
            for status, words in first["responses"].items()
        },
    }
    media = first["requestBody"]["content"]["application/json"]
    body = media | {"schema": _any_of(media["schema"], _schema(second["requestBody"]))}
    merged["requestBody"] = {"required": True, "content": {"application/json": body}}
    return merged


def _schema(media: dict[str, Any]) -> Any:
    return media["content"]["application/json"]["schema"]


def _any_of(first: Any, second: Any) -> dict[str, Any]:
    known = first.get("anyOf", [first])
    return {"anyOf": [*known, *([] if second in known else [second])]}


def _json(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _operational_paths(protected: bool) -> dict[str, Any]:
    """The routes of `http.ops`, which belong to no dialect."""
    shape = {"type": "object"}
    ready = {"200": _json("Every required model is ready", shape), "503": _json("Some required model is not", shape)}
    table: dict[str, tuple[str, dict[str, Any]]] = {
        "/health": ("The process is alive", {"200": _json("Alive", shape)}),
        "/ready": ("Every required model's worker is alive and warm", ready),
        "/metrics": (
            "Prometheus metrics",
            {"200": {"description": "Text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
        ),
    }
    return {
        path: {
            "get": {
                "operationId": path.strip("/"),
                "summary": summary,
                "tags": ["operations"],
                "responses": responses,
            }
            | ({} if protected and path == "/metrics" else {"security": []})
        }
        for path, (summary, responses) in table.items()
    }
