"""The service ids of the AI Search Open Platform: what is known of each, and which open weights can answer it.

Limits, dimensions and languages are those of the vendor's documents. Which weights the vendor runs is not published for
most ids; `certainty` says on what the answer rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from embedway.errors import ModelFilesError, SetupError

ServiceTask = Literal["embedding", "sparse", "multimodal", "rerank", "multimodal rerank", "reduction", "image analysis"]
Certainty = Literal["documented", "inferred", "stand_in"]


REGISTER = (
    "Register a model of type image_analyze under this name in the workspace's instance: CreateModel, or "
    "embedway models add."
)


@dataclass(frozen=True, slots=True)
class Service:
    """One service id. `max_tokens` is the longest text, `dimensions` the vector's length, `qps` an account's limit.

    Each of these is None where the document states none.
    `weights` is the hub id of the model behind it and None where none is public. `certainty`: the vendor says so
    (documented), names and limits coincide (inferred), or no weights are public and only others of the same length can
    stand in (stand_in). `stand_ins` are hub ids, the nearest first; some read shorter texts than the id promises.
    """

    id: str
    task: ServiceTask
    languages: str
    max_tokens: int | None
    dimensions: int | None
    qps: int | None
    weights: str | None
    certainty: Certainty
    stand_ins: tuple[str, ...] = ()


def deploy_hint(service: Service) -> str:
    """One sentence on how to deploy the service, or on why this version cannot."""
    if service.task == "reduction":
        return f"'{service.id}' is a service for {service.task}, which this version does not serve."
    if service.task == "image analysis":
        return REGISTER
    source = service.weights or next(iter(service.stand_ins), "<folder>")
    stand_in = ", stand_in = true" if service.weights is None else ""
    block = f'Deploy it with a [[model]] block of name = "{service.id}" and source = "{source}"{stand_in}'
    if "multimodal" in service.task:
        return f"{block}; embedway pull {source} fetches it."
    return f"{block}, or try it with the bundled model: embedway serve --stand-in."


def weights_of(service: Service) -> str:
    """The hub id of the weights behind the service. Raises `ModelFilesError` naming stand-ins where none are public."""
    if service.weights is not None:
        return service.weights
    choice = f"; choose a stand-in: {', '.join(service.stand_ins)}" if service.stand_ins else ""
    example = service.stand_ins[0] if service.stand_ins else "FOLDER"
    raise ModelFilesError(
        f"No weights of '{service.id}' are public{choice}. Serve one under this name with "
        f"--model {service.id}={example}, and stand_in = true in its [[model]] block where it differs."
    )


def check_fits(service: Service, dimensions: int, max_tokens: int) -> None:
    """Raise `SetupError` when a model differs from what clients of the id rely on: its length, or a smaller limit."""
    differs = []
    if service.dimensions is not None and dimensions != service.dimensions:
        differs.append(f"has {dimensions} dimensions instead of {service.dimensions}")
    if service.max_tokens is not None and max_tokens < service.max_tokens:
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

_FURTHER = (
    Service(
        id="ops-text-sparse-embedding-001",
        task="sparse",
        languages="100+",
        max_tokens=8192,
        dimensions=None,
        qps=50,
        weights="BAAI/bge-m3",
        certainty="inferred",  # the sample's token ids are XLM-RoBERTa's; limits are those of the dense sibling
    ),
    Service(
        id="ops-m2-encoder",
        task="multimodal",
        languages="Chinese, English",
        max_tokens=None,
        dimensions=768,
        qps=10,
        weights=None,  # by its name and length the M2 encoder of 0.4 billion parameters, which needs code of its own
        certainty="stand_in",
        stand_ins=("openai/clip-vit-large-patch14",),
    ),
    Service(
        id="ops-m2-encoder-large",
        task="multimodal",
        languages="Chinese, English",
        max_tokens=None,
        dimensions=1024,
        qps=10,
        weights=None,
        certainty="stand_in",
        stand_ins=("laion/CLIP-ViT-H-14-laion2B-s32B-b79K",),
    ),
    Service(
        id="ops-gme-qwen2-vl-2b-instruct",
        task="multimodal",
        languages="Chinese, English",
        max_tokens=None,
        dimensions=1536,
        qps=None,
        weights="Alibaba-NLP/gme-Qwen2-VL-2B-Instruct",
        certainty="inferred",  # the id is the model's own name
    ),
    Service(
        id="ops-mm-embedding-v1-2b",
        task="multimodal",
        languages="multilingual",
        max_tokens=None,
        dimensions=1536,
        qps=None,
        weights="OpenSearch-AI/Ops-MM-embedding-v1-2B",
        certainty="documented",
    ),
    Service(
        id="ops-mm-embedding-v1-7b",
        task="multimodal",
        languages="multilingual",
        max_tokens=None,
        dimensions=3584,
        qps=None,
        weights="OpenSearch-AI/Ops-MM-embedding-v1-7B",
        certainty="documented",
    ),
    Service(
        id="ops-bge-reranker-larger",
        task="rerank",
        languages="Chinese, English",
        max_tokens=512,
        dimensions=None,
        qps=20,
        weights="BAAI/bge-reranker-large",
        certainty="inferred",  # documented as a BGE model; which one follows from the languages and the limit
    ),
    Service(
        id="ops-text-reranker-001",
        task="rerank",
        languages="Chinese, English",
        max_tokens=512,
        dimensions=None,
        qps=None,
        weights=None,
        certainty="stand_in",
        stand_ins=("BAAI/bge-reranker-v2-m3", "Alibaba-NLP/gte-multilingual-reranker-base"),
    ),
    Service(
        id="ops-qwen3-reranker-0.6b",
        task="rerank",
        languages="100+",
        max_tokens=32_768,
        dimensions=None,
        qps=None,
        weights="Qwen/Qwen3-Reranker-0.6B",
        certainty="inferred",
    ),
    Service(
        id="ops-mm-reranker-001",
        task="multimodal rerank",
        languages="Chinese, English",
        max_tokens=None,
        dimensions=None,
        qps=20,
        weights=None,
        certainty="stand_in",
    ),
    Service(
        id="ops-embedding-dim-reduction-001",
        task="reduction",
        languages="any",
        max_tokens=None,
        dimensions=None,
        qps=50,
        weights=None,
        certainty="stand_in",
    ),
)

_ANALYSIS = tuple(
    Service(
        id=name,
        task="image analysis",
        languages="multilingual",
        max_tokens=None,
        dimensions=None,
        qps=10,
        weights=None,
        certainty="stand_in",
    )
    for name in ("ops-image-analyze-vlm-001", "ops-image-analyze-ocr-001")
)

SERVICES: Mapping[str, Service] = MappingProxyType({service.id: service for service in (*_TEXT, *_FURTHER, *_ANALYSIS)})
"""Every known service by its id."""
