"""The nouns that every layer shares: items, calls, results. Frozen, no I/O.

Shapes: a dense vector is float32 `[dimensions]`. Times are seconds unless a name says otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Role = Literal["query", "document"]
Task = Literal["embedding", "rerank", "multimodal", "classify"]
DType = Literal["fp32", "bf16", "fp16", "int8"]
Truncation = Literal["cut", "error"]
Side = Literal["left", "right"]
Activation = Literal["identity", "sigmoid", "softmax"]
Modality = Literal["image", "text"]
ModelState = Literal["loading", "ready", "idle", "failed", "draining"]
BackendName = Literal["auto", "openvino", "torch", "sentence"]
Ranker = Literal["cross-encoder", "late-interaction", "embedder-late-interaction", "embedder-cosine"]
"""How documents are ordered; the last two are an embedder's, which nobody trained to rank."""


class Output(enum.Flag):
    """What an item wants of one pass; a model says in its facts which of them it has."""

    DENSE = enum.auto()
    """One vector."""
    SPARSE = enum.auto()
    """Weights of terms of the vocabulary."""
    TOKENS = enum.auto()
    """One vector for each token, for late interaction."""
    SCORES = enum.auto()
    """One number for each label, or how well a pair belongs together."""
    STATES = enum.auto()
    """The network's last hidden state of every token, as it is."""


class Priority(enum.IntEnum):
    """Who goes first when both wait. `engine.batch.PATIENCE_S` says for how long bulk can be overtaken."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class Text:
    """One text to encode. `role` selects the model's own prompt, if it has one; `prompt`, or the model's prompt called
    `prompt_name`, is put in its place; `instruction` is what a model that takes one is told to do. `truncation` None
    means the model's own policy; `side` is where it is cut.
    """

    text: str
    role: Role = "document"
    outputs: Output = Output.DENSE
    prompt: str | None = None
    prompt_name: str | None = None
    instruction: str | None = None
    truncation: Truncation | None = None
    side: Side = "right"

    @property
    def characters(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a document, to be scored together. `instruction` None means the model's own."""

    query: str
    document: str
    instruction: str | None = None
    outputs: Output = Output.SCORES

    @property
    def characters(self) -> int:
        return len(self.query) + len(self.document)


@dataclass(frozen=True, slots=True)
class Image:
    """One picture to encode: a whole PNG, JPEG, WebP, GIF or BMP file."""

    data: bytes
    outputs: Output = Output.DENSE

    @property
    def characters(self) -> int:
        """None: usage counts the characters of texts."""
        return 0


Item = Text | Pair | Image


@dataclass(frozen=True, slots=True)
class Features:
    """A prepared item: what `Backend.prepare` made of it.

    `cost` is the item's price in a batch and its usage: tokens consumed, with prompt and special tokens, after cutting.
    `ids` is int32 `[cost]`. `types` int32 `[cost]` is 1 for the second text of a pair; None means all 0. `cut` says
    that the text was longer than the model reads. Only the first `seen` tokens can be looked at by others; None means
    all. `kept` bool `[cost]` says which tokens' vectors are given; None leaves that to the model's head. `sparse` are
    the terms, where they need no network. `pixels` float32 `[cost, channels * side * side]` are those of an image, one
    patch a row, and 0 in a row that the network puts in front of them; then `ids` is empty.
    """

    ids: npt.NDArray[np.int32]
    cost: int
    cut: bool = False
    outputs: Output = Output.DENSE
    types: npt.NDArray[np.int32] | None = None
    seen: int | None = None
    kept: npt.NDArray[np.bool_] | None = None
    sparse: Sparse | None = None
    pixels: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Sparse:
    """Terms of a vocabulary and their weights, by ascending id: int32 and float32 `[terms]`, no term twice.

    `order` int32 `[terms]` are their places here in the order in which they first stand in the text; None where they
    are not the text's own.
    """

    ids: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    order: npt.NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one pass made of one item; a part that was not asked for is None.

    `tokens` and `states` are float32 `[tokens, width]`, `scores` float32 `[labels]`, `[1]` for a pair: logits, of which
    the facts' `activation` makes what people expect.
    """

    dense: Vector | None = None
    sparse: Sparse | None = None
    tokens: npt.NDArray[np.float32] | None = None
    scores: npt.NDArray[np.float32] | None = None
    states: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text: its piece of it, from byte `start` to `stop` of its UTF-8; None for a special one."""

    id: int
    text: str
    special: bool
    start: int | None = None
    stop: int | None = None


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


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What to open and under which names; a `[[model]]` of the configuration."""

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


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `flow` is the name under which the caller's items share the queue with others."""

    flow: str = "anonymous"


@dataclass(frozen=True, slots=True)
class EmbedCall:
    """What is asked inside, whatever dialect it came in.

    `dimensions` None means native. `deadline_s` is a point on the clock of `time.monotonic`. `compare_with` float32
    `[tokens, width]` are a query's token vectors: those of each item are then replaced by one score, how well they
    cover the query, so that no more than one batch of token vectors is ever held.
    """

    model: str
    items: Sequence[Item]
    dimensions: int | None = None
    compare_with: npt.NDArray[np.float32] | None = None
    flow: str = "anonymous"
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one call went, in seconds; queue and run are those of its slowest item."""

    prepare_s: float = 0.0
    queue_s: float = 0.0
    run_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """`tokens` are tokens consumed; `cut` counts the texts that were longer than the model reads."""

    tokens: int
    cut: int
    characters: int


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """`outputs[i]` answers `call.items[i]`; `model` is the entry's own name, not the alias asked for. `lexical` says
    that weights of terms are BM25's, for want of a head. `facts` are of the copy of the model that answered.
    """

    model: str
    outputs: Sequence[Outputs]
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    stand_in: bool = False
    lexical: bool = False
    facts: Facts | None = None

    @property
    def vectors(self) -> Sequence[Vector]:
        """The dense vectors, where they were asked for."""
        return [one.dense for one in self.outputs if one.dense is not None]


@dataclass(frozen=True, slots=True)
class RankCall:
    """A query and the documents to be ordered by how well they answer it.

    `top_n` None means all. `raw` asks for what the model itself gives, without bringing it into [0, 1]. `instruction`
    None means the model's own; only cross-encoders have one.
    """

    model: str
    query: str
    documents: Sequence[str]
    top_n: int | None = None
    raw: bool = False
    instruction: str | None = None
    flow: str = "anonymous"
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """`index` is the document's place in the call."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class RankResult:
    """`ranked` is sorted, best first; equal scores keep the order of the call."""

    model: str
    ranked: Sequence[Ranked]
    ranker: Ranker
    usage: Usage
    timings: Timings = field(default_factory=Timings)
    stand_in: bool = False


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
