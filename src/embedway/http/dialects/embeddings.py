"""POST /v1/embeddings: OpenAI's body and reply, with the fields of Infinity's and Jina's clients and Embedway's own.

Sources: OpenAI API reference, "Embeddings"; Jina AI's Embeddings API (`task`, `embedding_type`, `normalized`,
`late_chunking`, `truncate`, inputs as objects). Jina's reference allows a list of types and does not say what the reply
then looks like: here `embedding` becomes an object with a key for each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import orjson

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput
from embedway.http.dialects.cutting import read_policy, read_side
from embedway.http.dialects.forms import Form, write_rows
from embedway.http.dialects.openai import MAX_INPUTS, ROLES, TokenUsage, read_texts
from embedway.http.dialects.pictures import Pictures, check_images
from embedway.http.dialects.ranking import choose_model
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, EmbedResult, Facts, Image, Output, Outputs, Role, Text
from embedway.vectors import Floats, unit_rows

Wanted = Literal["dense", "sparse", "tokens"]
OUTPUTS: Mapping[Wanted, Output] = {"dense": Output.DENSE, "sparse": Output.SPARSE, "tokens": Output.TOKENS}
SYMMETRIC = ("text-matching", "classification", "clustering", "separation")
"""Tasks of which no text is the query or the document of another."""


class InputObject(msgspec.Struct):
    """Jina's way of giving an input: one of the two. `image` is a URL, a data URI or base64."""

    text: str | None = None
    image: str | None = None


class EmbeddingsBody(msgspec.Struct):
    """Null stands for absent everywhere. `input_type`, or Jina's `task`, is the role, where the model has prompts for
    roles. `outputs` is Embedway's: all of them come from one pass.
    """

    input: str | InputObject | list[str | int | list[int] | InputObject]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    input_type: str | None = None
    modality: Literal["text", "image"] | None = None
    user: str | None = None
    task: str | None = None
    embedding_type: Form | list[Form] | None = None
    normalized: bool | None = None
    late_chunking: bool | None = None
    truncate: bool | None = None
    truncation_direction: str | None = None
    prompt_name: str | None = None
    instruction: str | None = None
    truncate_prompt_tokens: int | None = None
    add_special_tokens: bool | None = None
    priority: int | None = None
    outputs: list[Wanted] | None = None


Numbers = list[float] | str
"""A vector, or base64 of it."""


class SparseVector(msgspec.Struct):
    """Terms by ascending id; those that are not there weigh nothing."""

    indices: list[int]
    values: list[float]


class EmbeddingRow(msgspec.Struct):
    """`embedding` is there unless `outputs` leaves it out, the two below it where `outputs` names them."""

    index: int
    embedding: Numbers | dict[Form, Numbers] | msgspec.UnsetType = msgspec.UNSET
    object: Literal["embedding"] = "embedding"
    sparse_embedding: SparseVector | msgspec.UnsetType = msgspec.UNSET
    token_embeddings: list[Numbers] | dict[Form, list[Numbers]] | msgspec.UnsetType = msgspec.UNSET


class EmbeddingsReply(msgspec.Struct):
    data: list[EmbeddingRow]
    model: str
    usage: TokenUsage
    object: Literal["list"] = "list"


class Embeddings:
    """POST /v1/embeddings."""

    def __init__(self, engine: Engine, pictures: Pictures, request_timeout_s: float) -> None:
        self._engine = engine
        self._pictures = pictures
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: EmbeddingsBody) -> bytes:
        call = await self.read(exchange, body, MAX_INPUTS)
        return write_embeddings({}, call.model, body, await self.ask(exchange, body, call))

    async def read(self, exchange: Exchange, body: EmbeddingsBody, max_inputs: int) -> EmbedCall:
        """Wire struct to call. Raises `InvalidInput`."""
        if body.late_chunking:
            raise InvalidInput(
                "late_chunking is not supported: send each chunk as a text of its own, without it.", "$.late_chunking"
            )
        if body.embedding_type == []:
            raise InvalidInput("embedding_type must name at least one type, or be left out.", "$.embedding_type")
        outputs = _outputs(body.outputs)
        given = _of_modality(body)
        if images := find_images(given):  # none is fetched for nothing
            asked = choose_model(self._engine, body.model, "embedding")
            check_images(self._engine.find(asked, exchange.caller).facts, images, "$.input")
        items = await read_inputs(self._pictures, given, _role(body), max_inputs)
        model = choose_model(self._engine, body.model, "embedding")
        check_outputs(self._engine.find(model, exchange.caller).facts, outputs)
        return EmbedCall(
            model=model,
            items=[_controlled(item, body, outputs) for item in items],
            dimensions=body.dimensions or None,
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )

    async def ask(self, exchange: Exchange, body: EmbeddingsBody, call: EmbedCall) -> EmbedResult:
        """The engine's answer; what came of the fields is noted in the reply's headers."""
        result = await self._engine.embed(call)
        exchange.note(result)
        exchange.note_ignored(
            task=body.task if body.input_type is not None or body.task in SYMMETRIC else None,
            normalized=False if body.normalized is False else None,
            truncate_prompt_tokens=None if body.truncate_prompt_tokens == -1 else body.truncate_prompt_tokens,
            add_special_tokens=False if body.add_special_tokens is False else None,
            priority=body.priority or None,
        )
        return result


def _of_modality(body: EmbeddingsBody) -> Any:
    """The input; Infinity's clients may say that strings are images."""
    if body.modality != "image":
        return body.input
    inputs = body.input if isinstance(body.input, list) else [body.input]
    return [InputObject(image=one) if isinstance(one, str) else one for one in inputs]


def find_images(given: Any) -> Mapping[str, str]:
    """The inputs that are images, by their places."""
    inputs = (
        {f"$.input[{index}]": one for index, one in enumerate(given)} if isinstance(given, list) else {"$.input": given}
    )
    return {f"{at}.image": one.image for at, one in inputs.items() if isinstance(one, InputObject) and one.image}


def check_outputs(facts: Facts | None, outputs: Output) -> None:
    """Raise `InvalidInput` for outputs that an embedder does not give; what else a model may be is the engine's."""
    given = [name for name, output in OUTPUTS.items() if facts and output in facts.outputs]
    if facts and given and outputs & ~facts.outputs:
        raise InvalidInput(f"This model gives {' and '.join(given)}: ask for that in outputs.", "$.outputs")


async def read_inputs(
    pictures: Pictures,
    given: str | InputObject | Sequence[str | int | Sequence[int] | InputObject],
    role: Role,
    max_inputs: int,
) -> Sequence[Text | Image]:
    """The items of `input`. Raises `InvalidInput` for none, too many, an empty one, token ids, a damaged image."""
    if isinstance(given, InputObject):
        return [await _item(pictures, given, role, "$.input")]
    if isinstance(given, str) or not any(isinstance(one, InputObject) for one in given):
        return [Text(text, role) for text in read_texts(given, max_inputs)]  # type: ignore[arg-type]
    if len(given) > max_inputs:
        raise InvalidInput(f"input must hold 1 to {max_inputs} inputs, not {len(given)}.", "$.input")
    items: list[Text | Image] = []
    for index, one in enumerate(given):
        if not isinstance(one, InputObject):
            one = InputObject(one if isinstance(one, str) else read_texts([one], 1)[0])
        items.append(await _item(pictures, one, role, f"$.input[{index}]"))
    return items


def write_embeddings(head: Mapping[str, Any], model: str, body: EmbeddingsBody, result: EmbedResult) -> bytes:
    """The reply, rendered once, straight from the arrays or in base64; `model` as asked for."""
    vectors = result.vectors
    columns = iter(_write(np.stack(vectors), body) if vectors else ())
    data = []
    for index, outputs in enumerate(result.outputs):
        row: dict[str, Any] = {"object": "embedding"}
        if outputs.dense is not None:
            row["embedding"] = next(columns)
        data.append(row | {"index": index} | _more(outputs, body))
    usage = {"prompt_tokens": result.usage.tokens, "total_tokens": result.usage.tokens}
    reply = {**head, "object": "list", "data": data, "model": model, "usage": usage}
    return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)


def _more(outputs: Outputs, body: EmbeddingsBody) -> dict[str, Any]:
    """The parts of a row beside the vector, where they were asked for."""
    found: dict[str, Any] = {}
    if outputs.sparse is not None:
        found["sparse_embedding"] = {"indices": outputs.sparse.ids, "values": outputs.sparse.weights}
    if outputs.tokens is not None:
        found["token_embeddings"] = _write(outputs.tokens, body, whole=True)
    return found


def _write(rows: Floats, body: EmbeddingsBody, whole: bool = False) -> Any:
    """`[n, width]` in the forms that are asked for: a list of n; of several forms, n objects with a key for each, or
    where `whole` one object of lists.
    """
    rows = unit_rows(rows) if body.normalized else rows
    packed = body.encoding_format == "base64"
    kinds = body.embedding_type or "float"
    if not isinstance(kinds, list):
        return write_rows(rows, kinds, packed)
    columns = {kind: write_rows(rows, kind, packed) for kind in kinds}
    if whole:
        return columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


async def _item(pictures: Pictures, given: InputObject, role: Role, field: str) -> Text | Image:
    if given.text and given.image:
        raise InvalidInput("An input is a text or an image: no model here joins the two.", field)
    if given.image:
        return await pictures.read(given.image, f"{field}.image")
    if not given.text:
        raise InvalidInput("An input needs a text or an image that is not empty.", field)
    return Text(given.text, role)


def _controlled(item: Text | Image, body: EmbeddingsBody, outputs: Output) -> Text | Image:
    """The item with what the body says of its outputs, its prompt and how it is cut."""
    if isinstance(item, Image):
        return dataclasses.replace(item, outputs=outputs)
    return dataclasses.replace(
        item,
        outputs=outputs,
        prompt_name=body.prompt_name,
        instruction=body.instruction,
        truncation=read_policy(body.truncate),
        side=read_side(body.truncation_direction),
    )


def _outputs(wanted: Sequence[Wanted] | None) -> Output:
    if wanted is None:
        return Output.DENSE
    if not wanted:
        raise InvalidInput(f"outputs must name at least one of {', '.join(OUTPUTS)}.", "$.outputs")
    found = Output(0)
    for name in wanted:
        found |= OUTPUTS[name]
    return found


def _role(body: EmbeddingsBody) -> Role:
    if body.input_type is not None:
        if body.input_type not in ROLES:
            raise InvalidInput(f"input_type must be one of {', '.join(ROLES)}.", "$.input_type")
        return ROLES[body.input_type]
    if body.task is None or body.task in SYMMETRIC:
        return "document"
    _, _, part = body.task.rpartition(".")
    if "." not in body.task or part not in ("query", "passage"):
        known = ", ".join(("retrieval.query", "retrieval.passage", *SYMMETRIC))
        raise InvalidInput(f"task must be one of {known}, or end in .query or .passage.", "$.task")
    return ROLES[part]
