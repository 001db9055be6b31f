"""Cohere's embed, versions 1 and 2. Source: Cohere's API references v1 and v2, "Embed", and its Python SDK 7.3.

`int8`, `uint8`, `binary` and `ubinary` are those of `vectors.quantize`, `base64` is that of float32. Nothing is billed
here: `billed_units` are the tokens that were read, and the images.
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
from embedway.http.dialects.forms import Form, write_rows
from embedway.http.dialects.jina import ApiVersion
from embedway.http.dialects.openai import MAX_INPUTS
from embedway.http.dialects.pictures import Pictures, check_images
from embedway.http.dialects.ranking import choose_model
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, EmbedResult, Image, Priority, Role, Text, Truncation

InputType = Literal["search_document", "search_query", "classification", "clustering", "image"]
Truncate = Literal["NONE", "START", "END"]
ROLES: Mapping[InputType, Role] = {"search_query": "query", "search_document": "document"}
SYMMETRIC = ("classification", "clustering")
"""They have no prompts of their own here: such texts are taken for documents, and images always are."""


class ImageUrl(msgspec.Struct):
    url: str


class Part(msgspec.Struct):
    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None


class Content(msgspec.Struct):
    content: list[Part]


class EmbedBody(msgspec.Struct):
    """One of `texts`, `images` (data URIs, base64, URLs) and `inputs`. Without `input_type` they are documents."""

    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[Content] | None = None
    model: str | None = None
    input_type: InputType | None = None
    embedding_types: list[Form] | None = None
    output_dimension: int | None = None
    max_tokens: int | None = None
    truncate: Truncate | None = None
    priority: int | None = None


class EmbedBodyV1(msgspec.Struct):
    """Without `embedding_types` the reply's `embeddings` are a list of lists of floats."""

    texts: list[str] | None = None
    images: list[str] | None = None
    model: str | None = None
    input_type: InputType | None = None
    embedding_types: list[Form] | None = None
    truncate: Truncate | None = None


class BilledUnits(msgspec.Struct, omit_defaults=True):
    """`input_tokens` are those of texts and images together."""

    input_tokens: int
    images: int = 0


class Meta(msgspec.Struct):
    api_version: ApiVersion
    billed_units: BilledUnits


class EmbedReply(msgspec.Struct):
    """`embeddings` has a key for each of `embedding_types`, in their order; each holds one vector for each input."""

    id: str
    embeddings: dict[Form, list[list[float] | str]]
    meta: Meta
    texts: list[str]
    response_type: Literal["embeddings_by_type"] = "embeddings_by_type"


class EmbedReplyV1(msgspec.Struct):
    """`embeddings` is a list of vectors where no `embedding_types` were given."""

    id: str
    embeddings: list[list[float]] | dict[Form, list[list[float] | str]]
    meta: Meta
    texts: list[str]
    response_type: Literal["embeddings_floats", "embeddings_by_type"]


class Embed:
    """POST /v2/embed. A `priority` above 0, Cohere's highest, lets other callers go first."""

    def __init__(self, engine: Engine, pictures: Pictures, request_timeout_s: float) -> None:
        self._engine = engine
        self._pictures = pictures
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: EmbedBody) -> bytes:
        result = await self.ask(exchange, body)
        return write(exchange, "2", body, result, body.embedding_types or ["float"])

    async def ask(self, exchange: Exchange, body: EmbedBody) -> EmbedResult:
        """The engine's answer. Raises `InvalidInput` in the body's own names."""
        if images := find_images(body):  # none is fetched for nothing
            asked = choose_model(self._engine, body.model, "embedding")
            check_images(
                self._engine.find(asked, exchange.caller).facts, images, "$.images" if body.images else "$.inputs"
            )
        name, items = await read_items(self._pictures, body)
        call = EmbedCall(
            model=choose_model(self._engine, body.model, "embedding"),
            items=[_cut(item, body.truncate) for item in items],
            dimensions=body.output_dimension,
            caller=exchange.caller,
            priority=Priority.BULK if (body.priority or 0) > 0 else Priority.INTERACTIVE,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        try:
            result = await self._engine.embed(call)
        except InvalidInput as error:
            raise _named(error, name) from error
        exchange.note(result)
        exchange.note_ignored(
            input_type=body.input_type if body.input_type in SYMMETRIC else None, max_tokens=body.max_tokens
        )
        return result


class EmbedV1:
    """POST /v1/embed."""

    def __init__(self, embed: Embed) -> None:
        self._embed = embed

    async def __call__(self, exchange: Exchange, body: EmbedBodyV1) -> bytes:
        whole = EmbedBody(
            texts=body.texts,
            images=body.images,
            model=body.model,
            input_type=body.input_type,
            embedding_types=body.embedding_types,
            truncate=body.truncate,
        )
        return write(exchange, "1", whole, await self._embed.ask(exchange, whole), body.embedding_types)


async def read_items(pictures: Pictures, body: EmbedBody) -> tuple[str, Sequence[Text | Image]]:
    """The field that holds the inputs, and the items. Raises `InvalidInput` for more than one such field or none, no
    inputs, too many, an empty one, a damaged image.
    """
    lists = {"texts": body.texts, "images": body.images, "inputs": body.inputs}
    given = [name for name, inputs in lists.items() if inputs]
    if len(given) != 1:
        field = given[0] if given else "texts"
        raise InvalidInput("Send one of texts, images and inputs, and not an empty list.", f"$.{field}")
    name = given[0]
    inputs: Sequence[Any] = lists[name] or ()
    if len(inputs) > MAX_INPUTS:
        raise InvalidInput(f"{name} must hold 1 to {MAX_INPUTS} inputs, not {len(inputs)}.", f"$.{name}")
    if body.input_type == "image" and name == "texts":
        raise InvalidInput("input_type image goes with images or inputs, not with texts.", "$.input_type")
    role = ROLES.get(body.input_type or "search_document", "document")
    return name, [await _item(pictures, one, role, f"$.{name}[{index}]", name) for index, one in enumerate(inputs)]


def find_images(body: EmbedBody) -> Mapping[str, str]:
    """The inputs that are images, by their places."""
    found = {f"$.images[{index}]": image for index, image in enumerate(body.images or ())}
    for index, one in enumerate(body.inputs or ()):
        for place, part in enumerate(one.content):
            if part.type == "image_url" and part.image_url is not None:
                found[f"$.inputs[{index}].content[{place}].image_url.url"] = part.image_url.url
    return found


def write(
    exchange: Exchange, version: str, body: EmbedBody, result: EmbedResult, forms: Sequence[Form] | None
) -> bytes:
    """The reply, rendered once; without `forms` that of version 1, which then gives floats only."""
    rows = np.stack(result.vectors)
    images = len(find_images(body))
    reply = {
        "id": exchange.request_id,
        "embeddings": {form: write_rows(rows, form) for form in forms} if forms else list(rows),
        "texts": body.texts or [],
        "meta": {
            "api_version": {"version": version},
            "billed_units": {"input_tokens": result.usage.tokens} | ({"images": images} if images else {}),
        },
        "response_type": "embeddings_by_type" if forms else "embeddings_floats",
    }
    return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)


async def _item(pictures: Pictures, given: str | Content, role: Role, field: str, name: str) -> Text | Image:
    if isinstance(given, str):
        if name == "images":
            return await pictures.read(given, field)
        if not given:
            raise InvalidInput("texts must not hold an empty string.", field)
        return Text(given, role)
    if len(given.content) != 1:
        raise InvalidInput("An input takes one part, a text or an image: no model here joins several.", field)
    part = given.content[0]
    if part.type == "image_url" and part.image_url is not None:
        return await pictures.read(part.image_url.url, f"{field}.content[0].image_url.url")
    if part.type == "text" and part.text:
        return Text(part.text, role)
    raise InvalidInput(f"A part of type {part.type} needs a {part.type} that is not empty.", f"{field}.content[0]")


def _cut(item: Text | Image, truncate: Truncate | None) -> Text | Image:
    """The item with what is to happen where it is too long; without `truncate` that is the server's own policy."""
    if truncate is None or isinstance(item, Image):
        return item
    policy: Truncation = "error" if truncate == "NONE" else "cut"
    return dataclasses.replace(item, truncation=policy, side="left" if truncate == "START" else "right")


def _named(error: InvalidInput, name: str) -> InvalidInput:
    """An error of the engine, about an item or the dimensions, with the name that this body has for it."""
    if error.item is not None:
        return InvalidInput(error.message, f"$.{name}[{error.item}]")
    return InvalidInput(error.message, "$.output_dimension" if error.field == "$.dimensions" else error.field)
