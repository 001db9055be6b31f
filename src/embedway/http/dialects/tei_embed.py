"""text-embeddings-inference: vectors, token states, terms and similarity. Source: its router's types, version 1.9."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import orjson

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput
from embedway.http.dialects.cutting import read_policy, read_side
from embedway.http.dialects.ranking import choose_model
from embedway.http.dialects.tei import EmptyInput, check_batch
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, EmbedResult, Output, Text
from embedway.vectors import unit_rows


class InputsBody(msgspec.Struct):
    """What the bodies share. `model` is an extension, and is needed where several could be meant."""

    inputs: str | list[str | int | list[int]]
    truncate: bool | None = None
    truncation_direction: str | None = None
    prompt_name: str | None = None
    model: str | None = None


class EmbedBody(InputsBody):
    normalize: bool | None = None
    dimensions: int | None = None


class Parameters(msgspec.Struct):
    truncate: bool | None = None
    truncation_direction: str | None = None
    prompt_name: str | None = None


class SimilarityInputs(msgspec.Struct):
    source_sentence: str
    sentences: list[str]


class SimilarityBody(msgspec.Struct):
    inputs: SimilarityInputs
    parameters: Parameters | None = None
    model: str | None = None


class TermRow(msgspec.Struct):
    index: int
    value: float


class Asking:
    """Asks the engine for one output of texts."""

    def __init__(self, engine: Engine, request_timeout_s: float) -> None:
        self.engine = engine
        self._timeout_s = request_timeout_s

    async def __call__(
        self, exchange: Exchange, body: InputsBody, output: Output, dimensions: int | None = None
    ) -> EmbedResult:
        call = EmbedCall(
            model=choose_model(self.engine, body.model, "embedding"),
            items=read_texts(body, output),
            dimensions=dimensions or None,
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self.engine.embed(call)
        exchange.note(result)
        return result


class Embed:
    """POST /embed: a list of vectors, of length 1 unless `normalize` is false and the model leaves them as they are."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, exchange: Exchange, body: EmbedBody) -> bytes:
        check_batch(body.inputs if isinstance(body.inputs, list) else (), "inputs")
        result = await self._asking(exchange, body, Output.DENSE, body.dimensions)
        normalized = result.facts is None or result.facts.normalized
        vectors = np.stack(result.vectors)
        if body.normalize is False and normalized:
            exchange.note_ignored(normalize=False)
        elif body.normalize is not False and not normalized:
            vectors = unit_rows(vectors)
        return orjson.dumps(vectors, option=orjson.OPT_SERIALIZE_NUMPY)


class EmbedAll:
    """POST /embed_all: for each text the network's last hidden state of every token, special ones too."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, exchange: Exchange, body: InputsBody) -> bytes:
        check_batch(body.inputs if isinstance(body.inputs, list) else (), "inputs")
        result = await self._asking(exchange, body, Output.STATES)
        states = [one.states for one in result.outputs if one.states is not None]
        return orjson.dumps(states, option=orjson.OPT_SERIALIZE_NUMPY)


class EmbedSparse:
    """POST /embed_sparse: for each text its terms by ascending id."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, exchange: Exchange, body: InputsBody) -> bytes:
        check_batch(body.inputs if isinstance(body.inputs, list) else (), "inputs")
        result = await self._asking(exchange, body, Output.SPARSE)
        rows = [
            [{"index": number, "value": weight} for number, weight in zip(one.ids.tolist(), one.weights, strict=True)]
            for one in (outputs.sparse for outputs in result.outputs)
            if one is not None
        ]
        return orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)


class Similarity:
    """POST /similarity: the cosine of each sentence with the first."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, exchange: Exchange, body: SimilarityBody) -> bytes:
        given, how = body.inputs, body.parameters or Parameters()
        if not given.sentences:
            raise EmptyInput("sentences cannot be empty.", "$.inputs.sentences")
        check_batch(given.sentences, "sentences")
        inputs = InputsBody(
            [*given.sentences, given.source_sentence],  # the last, so that an error names a sentence by its own place
            how.truncate,
            how.truncation_direction,
            how.prompt_name,
            body.model,
        )
        try:
            result = await self._asking(exchange, inputs, Output.DENSE)
        except InvalidInput as error:
            if error.item != len(given.sentences):
                raise
            raise type(error)(error.message, "$.inputs.source_sentence") from error
        vectors = unit_rows(np.stack(result.vectors))
        cosines = np.clip(vectors[:-1] @ vectors[-1], -1.0, 1.0)
        return orjson.dumps(cosines, option=orjson.OPT_SERIALIZE_NUMPY)


def read_texts(body: InputsBody, output: Output) -> Sequence[Text]:
    """The texts and how each is to be cut. Raises `InvalidInput`, `EmptyInput`, `BodyTooLarge`."""
    texts = [body.inputs] if isinstance(body.inputs, str) else body.inputs
    if not texts:
        raise EmptyInput("inputs cannot be empty.", "$.inputs")
    one = Text("", outputs=output, prompt_name=body.prompt_name, side=read_side(body.truncation_direction))
    one = dataclasses.replace(one, truncation=read_policy(body.truncate))
    return [dataclasses.replace(one, text=check_text(text, index)) for index, text in enumerate(texts)]


def check_text(text: Any, index: int) -> str:
    """Raise `InvalidInput` for token ids, `EmptyInput` for nothing."""
    if not isinstance(text, str):
        raise InvalidInput("Token ids are not accepted: send the text itself.", item=index)
    if not text:
        raise EmptyInput("inputs cannot be empty.", item=index)
    return text
