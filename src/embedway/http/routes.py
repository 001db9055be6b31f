"""Every operation of every dialect, and whose words a path that is none of them gets."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.http.dialects.base import Dialect
from embedway.http.operation import Operation
from embedway.http.operations import instances, openai, platform, ranking, tei, usage, workspaces
from embedway.http.operations.parts import (
    COHERE,
    INFINITY_INPUT,
    INSTANCES,
    OPENAI,
    OPENSEARCH,
    PLATFORM,
    TEI_INPUTS,
    Parts,
)

_PREFIXES: Sequence[tuple[str, Dialect]] = (
    ("/v3/openapi", OPENSEARCH),
    ("/openapi/platform", PLATFORM),
    ("/openapi/", INSTANCES),
    ("/compatible-mode", OPENSEARCH),
    ("/v2/", COHERE),
    ("/v1/embed/", COHERE),
    ("/classify", INFINITY_INPUT),
    ("/v1/classify", INFINITY_INPUT),
    *(
        (path, TEI_INPUTS)
        for path in ("/predict/", "/embed/", "/embed_", "/similarity/", "/tokenize/", "/decode/", "/info/")
    ),
)


def dialect_of(path: str) -> Dialect:
    """Who words the errors of a path that has no operation."""
    return next((dialect for prefix, dialect in _PREFIXES if f"{path}/".startswith(prefix)), OPENAI)


def operations(parts: Parts) -> Sequence[Operation]:
    """All operations, those of a more special path first; of those that share a path its owner first."""
    tables = (
        *(openai.openai, ranking.rerank, ranking.for_cohere, openai.for_infinity),
        *(tei.tei_ranking, tei.embedding, tei.tokens),
        *(platform.texts, platform.weights_and_ranks, platform.vectors, platform.images, platform.analysis),
        *(instances.models, instances.model, usage.usage),
        *(workspaces.workspaces, workspaces.credentials, workspaces.functions),
    )
    return [operation for table in tables for operation in table(parts)]
