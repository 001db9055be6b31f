"""A model behind a URL: asked over HTTP, by its template, and read by its JSONPath."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pybase64

from embedway.backends.base import Outcome
from embedway.backends.remote_definition import Definition, PhaseName
from embedway.errors import InvalidInput, SettingsError
from embedway.models.images import LIMITS, sniff
from embedway.types import Facts, Features, Image, Item, ModelSpec, Output, Pair, RemoteKind, Text, Token

if TYPE_CHECKING:
    from embedway.backends.remote_pass import Passes

REMOTE_DEVICE = "remote:"
"""How the name of a remote model's device begins; each has its own, so that none waits for another."""
MAX_TOKENS = 32_768
"""Of one text; the remote model may read less, and says so itself."""
IMAGE_TOKENS = 256
CONNECTIONS = 8
MOST_TOGETHER = 16
"""Inputs in one request, where the template takes a list."""
CHARACTERS_PER_TOKEN = 3
_OUTPUTS: Mapping[RemoteKind, Output] = {
    "text_embedding": Output.DENSE,
    "image_embedding": Output.DENSE,
    "text_sparse_embedding": Output.SPARSE,
    "image_analyze": Output.CONTENT,
}


def remote_facts(spec: ModelSpec) -> Facts:
    """What a remote model can do, as it was registered; asks nobody."""
    remote = spec.remote
    if remote is None:
        raise ValueError(f"{spec.label} is no remote model")
    pictures = remote.kind.startswith("image")
    return Facts(
        backend="remote",
        dtype="fp32",
        dimensions=remote.dimensions if Output.DENSE in _OUTPUTS[remote.kind] else 0,
        max_tokens=spec.max_tokens or MAX_TOKENS,
        outputs=_OUTPUTS[remote.kind],
        revision=hashlib.sha256(repr(dataclasses.replace(remote, headers={})).encode()).hexdigest()[:16],
        tasks=frozenset({"multimodal"}) if pictures else frozenset({"embedding"}),
        device=REMOTE_DEVICE + spec.label,
        normalized=False,
        sparse_head=remote.kind == "text_sparse_embedding",
        modalities=frozenset({"image"}) if pictures else frozenset({"text"}),
        image_tokens=IMAGE_TOKENS if pictures else 0,
    )


@dataclass(frozen=True, slots=True)
class Asked(Features):
    """An item as it is sent: the text, or the image in base64, and the phase whose parameters go along."""

    given: str = ""
    phase: PhaseName = "build"


class RemoteBackend:
    """Prepares on any thread; `run` blocks its own until all answers are there, or their time is over."""

    def __init__(self, spec: ModelSpec) -> None:
        """Raise `SettingsError` for a definition that cannot be used; asks nobody."""
        if spec.remote is None:
            raise ValueError(f"{spec.label} is no remote model")
        try:
            self._definition = Definition(spec.remote)
        except InvalidInput as error:
            raise SettingsError(f"The remote model '{spec.label}' cannot be asked: {error.message}") from error
        self.facts = remote_facts(spec)
        self._runner = asyncio.Runner()
        self._passes: Passes | None = None

    def prepare(self, item: Item) -> Features:
        phase: PhaseName = "search" if isinstance(item, Text) and item.role == "query" else "build"
        if missing := self._definition.missing(phase):
            raise InvalidInput(
                f"This model's template needs '{min(missing)}', which the {phase} parameters of its definition lack."
            )
        given, cost = self._read(item)
        nothing = np.empty(0, dtype=np.int32)
        return Asked(ids=nothing, cost=cost, outputs=item.outputs, given=given, phase=phase)

    def _read(self, item: Item) -> tuple[str, int]:
        """What is sent of an item, and its estimated tokens."""
        if isinstance(item, Pair):
            raise InvalidInput("This model embeds; it scores no pairs.")
        if isinstance(item, Image):
            if "image" not in self.facts.modalities:
                raise InvalidInput("This model reads texts only: send images to a model that embeds them.")
            sniff(item.data)
            if len(item.data) > LIMITS.bytes:
                raise InvalidInput(f"The image has {len(item.data):,} bytes: at most {LIMITS.bytes:,} are sent on.")
            return pybase64.b64encode(item.data).decode("ascii"), self.facts.image_tokens
        if "text" not in self.facts.modalities:
            raise InvalidInput("This model reads images only: send texts to a model that embeds them.")
        if item.prompt_name is not None or item.instruction is not None:
            raise InvalidInput("This model is a remote one, whose prompts and instructions are not known here.")
        text = (item.prompt or "") + item.text
        return text, min(self.facts.max_tokens, len(text) // CHARACTERS_PER_TOKEN + 2)

    def run(self, batch: Sequence[Features]) -> Sequence[Outcome]:
        """One outcome for each item: a service fails for one and not for another."""
        asked = [one for one in batch if isinstance(one, Asked)]
        return self._runner.run(self._ask(asked))

    async def _ask(self, batch: Sequence[Asked]) -> Sequence[Outcome]:
        if self._passes is None:  # the code for HTTP is loaded, and its connections made, where they are used
            from embedway.backends.remote_pass import Passes

            self._passes = Passes(self._definition)
        return await self._passes.run(batch)

    @property
    def most_items(self) -> int:
        """Items that a pass answers in one wave of requests; of more, some would wait for others' answers."""
        return CONNECTIONS * (MOST_TOGETHER if self._definition.takes_many else 1)

    @property
    def vocabulary(self) -> UnknownVocabulary:
        return UnknownVocabulary()

    def close(self) -> None:
        """Close the connections; blocks, and not on a thread whose event loop runs."""
        if self._passes is not None:
            self._runner.run(self._passes.close())
        self._runner.close()


class UnknownVocabulary:
    """A remote model's, which nobody here has seen."""

    def tokenize(self, item: Text, special: bool = True) -> Sequence[Token]:
        raise self._unknown()

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        raise self._unknown()

    def spell(self, ids: Sequence[int]) -> Sequence[str]:
        raise self._unknown()

    def _unknown(self) -> InvalidInput:
        return InvalidInput("This model is a remote one, whose tokens are not known here: ask its own service.")
