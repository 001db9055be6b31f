"""What goes into a model and what comes out of it. Frozen, no I/O.

Shapes: a dense vector is float32 `[dimensions]`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
Role = Literal["query", "document"]
Truncation = Literal["cut", "error"]
Side = Literal["left", "right"]
Activation = Literal["identity", "sigmoid", "softmax"]
Modality = Literal["image", "text"]


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
    CONTENT = enum.auto()
    """What a picture holds, in words."""


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
    the facts' `activation` makes what people expect. `used_tokens` is what a remote model says it consumed; None leaves
    that to the features' cost.
    """

    dense: Vector | None = None
    sparse: Sparse | None = None
    tokens: npt.NDArray[np.float32] | None = None
    scores: npt.NDArray[np.float32] | None = None
    states: npt.NDArray[np.float32] | None = None
    content: str | None = None
    used_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a text: its piece of it, from byte `start` to `stop` of its UTF-8; None for a special one."""

    id: int
    text: str
    special: bool
    start: int | None = None
    stop: int | None = None
