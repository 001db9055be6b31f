"""Whether a model does what a call asks of it, and vectors cut to the length that is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from embedway.engine.batcher import estimate_tokens
from embedway.errors import InvalidInput
from embedway.types import EmbedCall, Facts, Image, Item, Output, Outputs, Pair, Text
from embedway.vectors import shorten

MOST_NUMBERS = 8_000_000
"""Numbers of token vectors in one answer: as JSON they are some 90 MB, which are written in a third of a second."""
TOKEN_WIDTH = 128
"""Of a token's vector where the model gives no other; ColBERT's."""


def check_call(facts: Facts, call: EmbedCall) -> int | None:
    """The length to cut vectors to, None where they stay as they are. Raises `InvalidInput` for what the model does
    not do.
    """
    check_items(facts, call.items)
    if call.compare_with is None:  # else they are reduced to a score, batch by batch
        check_amount(facts, call.items)
    return check_dimensions(facts, call.dimensions)


def check_amount(facts: Facts, items: Sequence[Item]) -> None:
    """Raise `InvalidInput` for more vectors of tokens than one answer may hold. One text alone is always answered."""
    wanting = [item for item in items if item.outputs & (Output.TOKENS | Output.STATES)]
    numbers = estimate_tokens(wanting, facts) * (facts.most_dimensions or TOKEN_WIDTH)
    if len(wanting) > 1 and numbers > MOST_NUMBERS:
        raise InvalidInput(
            f"Vectors of all tokens of {len(wanting)} texts are too much for one answer: send fewer texts at a time."
        )


def check_items(facts: Facts, items: Sequence[Item]) -> None:
    """Raise `InvalidInput` for items that a model of this kind does not take, or outputs that it does not give."""
    for index, item in enumerate(items):
        if isinstance(item, Image) and "image" not in facts.modalities:
            raise InvalidInput("This model reads texts only: send images to a model that embeds them.", item=index)
        if isinstance(item, Text) and "text" not in facts.modalities:
            raise InvalidInput("This model reads images only: send texts to a model that embeds them.", item=index)
        paired = isinstance(item, Pair)
        if (
            item.outputs & ~facts.outputs
            or (paired and "embedding" in facts.tasks)
            or (not paired and "rerank" in facts.tasks)
        ):
            missing = [name for output, name in _PARTS.items() if output in item.outputs & ~facts.outputs]
            said = f"gives no {' and no '.join(missing)}" if missing and Output.DENSE in facts.outputs else _kind(facts)
            raise InvalidInput(f"This model {said}.", item=index)


def _kind(facts: Facts) -> str:
    if Output.CONTENT in facts.outputs:
        return "says what a picture holds; it gives no vectors"
    if "text" not in facts.modalities:
        return "embeds images; it scores nothing"
    if "embedding" in facts.tasks and Output.DENSE not in facts.outputs:
        return "weighs terms" if Output.SPARSE in facts.outputs else "gives a vector for each token"
    return _KINDS[min(facts.tasks)]


_PARTS = {
    Output.SPARSE: "weights of terms",
    Output.TOKENS: "vectors of tokens",
    Output.STATES: "hidden states of tokens",
    Output.CONTENT: "account of what a picture holds",
}
_KINDS = {
    "classify": "classifies texts and pairs; it gives no vectors",
    "embedding": "embeds texts; it scores nothing",
    "multimodal": "embeds texts and images; it scores nothing",
    "rerank": "scores pairs of a query and a document; it gives no vectors",
}


def shortened(outputs: Outputs, dimensions: int) -> Outputs:
    if outputs.dense is None:
        return outputs
    return dataclasses.replace(outputs, dense=shorten(outputs.dense, dimensions))


def check_dimensions(facts: Facts, dimensions: int | None) -> int | None:
    """The length to cut to, None for that of what the pass gives. Raises `InvalidInput` naming the allowed range."""
    if dimensions is None and facts.full_dimensions:
        return facts.dimensions  # a reduced model's pass gives all components
    if dimensions is None or dimensions == facts.most_dimensions:
        return None
    if not facts.matryoshka:
        raise InvalidInput(
            f"This model's vectors have {facts.dimensions} dimensions: it was not trained for shorter ones.",
            "$.dimensions",
        )
    low, high = facts.matryoshka[0], facts.most_dimensions
    if not low <= dimensions <= high:
        raise InvalidInput(
            f"This model's vectors may have {low} to {high} dimensions, not {dimensions}.", "$.dimensions"
        )
    return dimensions
