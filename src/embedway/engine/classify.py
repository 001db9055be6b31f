"""From a classifier's logits to named scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embedway.engine.engine import Engine
from embedway.types import EmbedCall, EmbedResult, Facts, Outputs
from embedway.vectors import activate


@dataclass(frozen=True, slots=True)
class Labelled:
    """One label of a model and its score."""

    label: str
    score: float


async def classify(engine: Engine, call: EmbedCall, raw: bool) -> tuple[EmbedResult, Sequence[Sequence[Labelled]]]:
    """The result of a call whose items ask for scores, and for each item what `name_scores` makes of them.

    Raises what `Engine.embed` raises.
    """
    result = await engine.embed(call)
    facts = result.facts
    return result, [name_scores(facts, outputs, raw) for outputs in result.outputs] if facts else []


def name_scores(facts: Facts, outputs: Outputs, raw: bool) -> Sequence[Labelled]:
    """Every label, the likeliest first; `raw` asks for logits, else they go through the model's own activation.

    A scorer of pairs has one score without a name: it is called LABEL_0, as the libraries call it.
    """
    if outputs.scores is None:
        return []
    scores = outputs.scores if raw else activate(outputs.scores, facts.activation)
    labels = facts.labels or ("LABEL_0",)
    return [Labelled(labels[index], float(scores[index])) for index in np.argsort(-scores, kind="stable")]
