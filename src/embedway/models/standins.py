"""Stand-ins: the bundled model answering service ids whose own model is not configured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from embedway.models.services import SERVICES
from embedway.types import ModelSpec

TASKS = ("embedding", "sparse", "rerank")
"""What an embedder of texts can answer: weights of terms by BM25, ranking by its token vectors."""


def with_stand_ins(specs: Sequence[ModelSpec], bundled: str) -> tuple[ModelSpec, ...]:
    """The same models, the bundled one, as it is, with every service id for texts that none answers as an alias."""
    taken = {name for spec in specs for name in (spec.name, *spec.aliases)}
    free = tuple(name for name, service in SERVICES.items() if service.task in TASKS and name not in taken)
    chosen = next(index for index, spec in enumerate(specs) if spec.source == bundled and not spec.reduction)
    stand_in = dataclasses.replace(specs[chosen], aliases=specs[chosen].aliases + free, stand_in=True)
    return (*specs[:chosen], stand_in, *specs[chosen + 1 :])
