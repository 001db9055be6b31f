"""What a model is: what to open, what it can do, how it fares. Frozen, no I/O. Times are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from embedway.types.items import Activation, Modality, Output, Truncation

Task = Literal["embedding", "rerank", "multimodal", "classify"]
DType = Literal["fp32", "bf16", "fp16", "int8"]
ModelState = Literal["loading", "ready", "idle", "failed", "draining"]
BackendName = Literal["auto", "openvino", "torch", "sentence"]
RemoteKind = Literal["text_embedding", "text_sparse_embedding", "image_embedding", "image_analyze"]
DEFAULT_NAMESPACE = "default"
"""The instance and the workspace that always exist."""
GLOBAL = ""
"""The namespace of the configuration's models, which everyone sees."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a coarser precision compares with float32 over `texts` built-in texts: the least and the mean cosine of a
    text's two vectors, and the share of texts whose nearest neighbour is the same."""

    least_cosine: float
    mean_cosine: float
    same_neighbour: float
    texts: int

    def __str__(self) -> str:
        return (
            f"cosine at least {self.least_cosine:.4f}, {self.mean_cosine:.4f} in the mean; "
            f"the same nearest text for {self.same_neighbour:.0%}"
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a loaded model can do, as its backend knows it. `dimensions` is 0 for a model without dense vectors."""

    backend: str
    dtype: DType
    dimensions: int
    max_tokens: int
    outputs: Output
    revision: str
    tasks: frozenset[Task] = frozenset({"embedding"})
    matryoshka: tuple[int, ...] = ()
    """Lengths the model was trained to be cut to, ascending, native last; empty when it was not."""
    full_dimensions: int = 0
    """Of a reduced model, the numbers that its vectors can be asked to have at most, its base's; 0 of any other."""
    agreement: Agreement | None = None
    """With itself in float32; measured when a model is loaded in int8."""
    labels: tuple[str, ...] = ()
    """What the scores stand for, in their order; empty for one score without a name."""
    activation: Activation = "identity"
    """What the model's own library does with the logits."""
    device: str = "cpu"
    """Where it computes; models on different devices do not wait for each other."""
    token_head: bool = False
    """Whether its token vectors are made by a head trained for late interaction, or are its last hidden states."""
    pooling: str = ""
    """How a dense vector is made of tokens: cls, mean, max, last, weighted; empty where there is none, or unknown."""
    normalized: bool = True
    """Whether its dense vectors have length 1."""
    sparse_head: bool = False
    """Whether its weights of terms are learned, or BM25's."""
    modalities: frozenset[Modality] = frozenset({"text"})
    """What an item may be made of."""
    image_tokens: int = 0
    """What one image costs, where images are taken and brought to one size; a middling one where they keep theirs."""

    @property
    def most_dimensions(self) -> int:
        """The length of the longest vector that can be asked for."""
        return self.full_dimensions or self.dimensions


@dataclass(frozen=True, slots=True)
class Phase:
    """What differs between the index's building (documents) and the search (queries): `parameters` are put into the
    template's variables, `url_params` onto the URL.
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    url_params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteSpec:
    """A model behind a URL. Source of the terms: Alibaba Cloud help, OpenSearch Vector Search Edition, "GetModel".

    `body` is a JSON template with the variables `%{input}`, and `%{x}` or `${x}` of the phase's parameters. `response`
    is a JSONPath (RFC 9535) that finds one result for each input. `headers` may hold secrets: they stay out of the
    text form. `private` allows addresses that are not public. `timeout_s` is for one attempt.
    """

    kind: RemoteKind
    url: str
    body: str
    response: str
    method: Literal["POST", "PUT"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    build: Phase = Phase()
    search: Phase = Phase()
    dimensions: int = 0
    private: bool = False
    timeout_s: float = 10.0
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What to open and under which names: a `[[model]]` of the configuration, or a registered model.

    `reduction` is the folder of a trained reduction, through which its vectors go.

    A registered model has a `namespace`, and is `remote`. A `disabled` one keeps its name and answers nobody.
    """

    name: str
    source: str
    aliases: tuple[str, ...] = ()
    revision: str | None = None
    dtype: Literal["auto"] | DType = "auto"
    backend: BackendName = "auto"
    device: str = "auto"
    max_tokens: int | None = None
    truncation: Truncation | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    task: Literal["auto", "embedding", "rerank"] = "auto"
    matryoshka: tuple[int, ...] = ()
    stand_in: bool = False
    required: bool = True
    keep_alive_s: float | None = None
    reduction: str | None = None
    namespace: str = GLOBAL
    remote: RemoteSpec | None = None
    disabled: bool = False

    @property
    def label(self) -> str:
        """The name for logs and metrics, which all namespaces share."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model as `/models`, `/ready` and the metrics show it. `facts` is None until the model is open.

    `queued_tokens` counts what was accepted and not yet answered, `queued_items` what waits for a batch,
    `pending_items` all that is accepted and not yet answered. An idle `state` is ready: the next call loads the model
    again. `reserved_bytes` of memory belong to what is loaded.
    """

    spec: ModelSpec
    facts: Facts | None
    created_s: int
    ready: bool
    reason: str
    queued_items: int
    queued_tokens: int
    pending_items: int
    max_queue_tokens: int
    max_batch_items: int
    state: ModelState = "ready"
    reserved_bytes: int = 0
