"""What a backend is: the code that computes. Synchronous and small; batching, queues and time limits are the
engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from embedway.types import Facts, Features, Item, Outputs


class Backend(Protocol):
    """One opened model."""

    @property
    def facts(self) -> Facts: ...

    def prepare(self, item: Item) -> Features:
        """Tokenize or decode one item and set its cost. Called from many threads. Raises `InvalidInput`."""

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        """One pass; row i answers `batch[i]`. Called from the device's thread alone."""

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        """Each token of the vocabulary as text. Called from many threads."""

    def close(self) -> None:
        """Give memory back; nothing is called afterwards."""
