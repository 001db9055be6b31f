"""What a backend is: the code that computes. Synchronous and small; batching, queues and time limits are the
engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from embedway.errors import EmbedwayError
from embedway.types import Facts, Features, Item, Outputs, Text, Token

Outcome = Outputs | EmbedwayError
"""What a pass made of one item, or why nothing came of it alone."""


class Vocabulary(Protocol):
    """Tokens and texts, without a network. Called from many threads."""

    def tokenize(self, item: Text, special: bool = True) -> Sequence[Token]:
        """All tokens of a text with its prompt, uncut, and the special ones around it if `special`.

        Raises `InvalidInput` for a prompt's name that the model does not know.
        """

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """The text of tokens. Raises `InvalidInput` for ids that are none of the vocabulary's."""

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        """Each token as text, without what marks the edges of words."""


class Backend(Protocol):
    """One opened model."""

    @property
    def facts(self) -> Facts: ...

    def prepare(self, item: Item) -> Features:
        """Tokenize or decode one item and set its cost. Called from many threads. Raises `InvalidInput`."""

    def run(self, batch: Sequence[Features]) -> Sequence[Outcome]:
        """One pass; row i answers `batch[i]`. Called from the device's thread alone.

        A backend that knows which item failed says so in its row; where it raises, the engine looks for that item.
        """

    @property
    def vocabulary(self) -> Vocabulary: ...

    def close(self) -> None:
        """Give memory back; nothing is called afterwards."""
