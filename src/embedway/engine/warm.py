"""The first passes of a model that was just opened."""

from __future__ import annotations

from collections.abc import Sequence

from embedway.backends.base import Backend
from embedway.errors import EmbedwayError, ModelFilesError
from embedway.types import Item, Pair, Text
from embedway.vectors import check_finite

WARM_TEXTS = ("warm", "The quick brown fox jumps over the lazy dog. " * 8, "word " * 600)


def warm(backend: Backend) -> None:
    """Run items of several lengths once: the first caller need not pay for it, and what comes is seen to be finite."""
    facts = backend.facts
    features = [backend.prepare(item) for item in _warmable(backend)]
    for batch in ([features[0]], features[:2], features):
        for outputs in backend.run(batch):
            if isinstance(outputs, EmbedwayError):
                raise outputs
            sparse = outputs.sparse.weights if outputs.sparse else None
            parts = [part for part in (outputs.dense, outputs.scores, outputs.tokens, sparse) if part is not None]
            for part in parts:
                check_finite(part)
            wanted = {"dense": (facts.most_dimensions,), "scores": (max(1, len(facts.labels)),)}
            found = {"dense": outputs.dense, "scores": outputs.scores}
            if not parts or any(part is not None and part.shape != wanted[name] for name, part in found.items()):
                raise ModelFilesError(
                    "The model's vectors have not the length that its config says: its files do not belong together."
                )


def _warmable(backend: Backend) -> Sequence[Item]:
    """Items short enough for a model that refuses to cut, which want all that it gives."""
    facts = backend.facts
    texts = [text[: facts.max_tokens // 2 * 2] for text in WARM_TEXTS]
    if "rerank" in facts.tasks:
        return [Pair(text[: len(text) // 4], text[: len(text) // 4]) for text in texts]
    return [Text(text, outputs=facts.outputs) for text in texts]
