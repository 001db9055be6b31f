"""Stand-ins: the bundled model answering service ids whose own model is not configured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from embedway.models.services import SERVICES
from embedway.types import ModelSpec


def with_stand_ins(specs: Sequence[ModelSpec], bundled: str) -> tuple[ModelSpec, ...]:
    """The same models, and every text-embedding service id that none of them answers as an alias of the bundled one."""
    taken = {name for spec in specs for name in (spec.name, *spec.aliases)}
    free = tuple(name for name, service in SERVICES.items() if service.task == "embedding" and name not in taken)
    base = next((spec for spec in specs if spec.source == bundled), None)
    others = tuple(spec for spec in specs if spec is not base)
    base = base or ModelSpec(bundled, bundled)
    return (*others, dataclasses.replace(base, aliases=base.aliases + free, stand_in=True))
