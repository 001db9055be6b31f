"""The service ids of the AI Search Open Platform: what is known of each, and which open weights can answer it.

Limits, dimensions and languages are those of the vendor's text-embedding document. Which weights the vendor runs is not
published for most ids; `certainty` says on what the answer rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from embedway.errors import SetupError
from embedway.types import Task

Certainty = Literal["documented", "inferred", "stand_in"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service id. `max_tokens` is the longest text, `qps` the vendor's limit for an account where it states one.

    `weights` is the hub id of the model behind it and None where none is public. `certainty`: the vendor says so
    (documented), names and limits coincide (inferred), or no weights are public and only others of the same length can
    stand in (stand_in). `stand_ins` are hub ids, the nearest first; some read shorter texts than the id promises.
    """

    id: str
    task: Task
    languages: str
    max_tokens: int
    dimensions: int
    qps: int | None
    weights: str | None
    certainty: Certainty
    stand_ins: tuple[str, ...] = ()


def deploy_hint(service: Service) -> str:
    """One sentence on how to deploy the service."""
    source = service.weights or next(iter(service.stand_ins), "<folder>")
    stand_in = ", stand_in = true" if service.weights is None else ""
    return (
        f'Deploy it with a [[model]] block of name = "{service.id}" and source = "{source}"{stand_in}, '
        "or try it with the bundled model: embedway serve --stand-in."
    )


def check_fits(service: Service, dimensions: int, max_tokens: int) -> None:
    """Raise `SetupError` when a model differs from what clients of the id rely on: its length, or a smaller limit."""
    differs = []
    if dimensions != service.dimensions:
        differs.append(f"has {dimensions} dimensions instead of {service.dimensions}")
    if max_tokens < service.max_tokens:
        differs.append(f"reads {max_tokens} tokens instead of {service.max_tokens}")
    if differs:
        raise SetupError(
            f"The model configured as {service.id} {' and '.join(differs)}; configure one that fits, or set "
            "stand_in = true to serve it all the same, marked as a stand-in in every answer."
        )


_TEXT = (
    Service(
        id="ops-text-embedding-001",
        task="embedding",
        languages="40+",
        max_tokens=300,
        dimensions=1536,
        qps=50,
        weights=None,
        certainty="stand_in",
        stand_ins=("Alibaba-NLP/gte-Qwen2-1.5B-instruct",),
    ),
    Service(
        id="ops-text-embedding-zh-001",
        task="embedding",
        languages="Chinese",
        max_tokens=1024,
        dimensions=768,
        qps=None,
        weights=None,
        certainty="stand_in",
        stand_ins=("Alibaba-NLP/gte-multilingual-base", "BAAI/bge-base-zh-v1.5", "thenlper/gte-base-zh"),
    ),
    Service(
        id="ops-text-embedding-en-001",
        task="embedding",
        languages="English",
        max_tokens=512,
        dimensions=768,
        qps=None,
        weights=None,
        certainty="stand_in",
        stand_ins=("BAAI/bge-base-en-v1.5", "thenlper/gte-base"),
    ),
    Service(
        id="ops-text-embedding-002",
        task="embedding",
        languages="100+",
        max_tokens=8192,
        dimensions=1024,
        qps=None,
        weights="BAAI/bge-m3",
        certainty="inferred",  # dimensions, limit and number of languages coincide; no vectors were compared
    ),
    Service(
        id="ops-gte-sentence-embedding-multilingual-base",
        task="embedding",
        languages="70+",
        max_tokens=8192,
        dimensions=768,
        qps=None,
        weights="Alibaba-NLP/gte-multilingual-base",
        certainty="inferred",  # the id is the model's own name on ModelScope
    ),
    Service(
        id="ops-qwen3-embedding-0.6b",
        task="embedding",
        languages="100+",
        max_tokens=32_768,  # "32k" in the document
        dimensions=1024,
        qps=None,
        weights="Qwen/Qwen3-Embedding-0.6B",
        certainty="inferred",  # name, size, dimensions and limit coincide
    ),
)

SERVICES: Mapping[str, Service] = MappingProxyType({service.id: service for service in _TEXT})
"""Every known service by its id."""
