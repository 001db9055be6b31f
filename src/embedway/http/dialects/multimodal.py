"""AI Search Open Platform: texts and images in one space, by service id; ranking among them.

Source: Alibaba Cloud help, "Multimodal embedding" and "Multimodal ranking" of the AI Search Open Platform, and its
Python SDK (searchplat20240529). An image is a URL, base64 or a data URI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from embedway.engine.engine import Engine
from embedway.errors import InvalidInput
from embedway.http.dialects.opensearch import MAX_INPUTS, VectorRows, enclose, read_service, vector_rows
from embedway.http.dialects.pictures import Pictures, check_images
from embedway.http.dialects.services import Scores
from embedway.http.exchange import Exchange
from embedway.types import EmbedCall, EmbedResult, Image, Item, Text
from embedway.vectors import unit_rows

MAX_RANKED = 100


class Element(msgspec.Struct):
    """A text or an image."""

    text: str | None = None
    image: str | None = None


class MultimodalBody(msgspec.Struct):
    input: list[Element]
    options: dict[str, Any] | None = None


class MultimodalUsage(msgspec.Struct):
    image: int
    image_token: int
    text_token: int
    token_count: int


class MultimodalReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: MultimodalUsage
    result: VectorRows


class MultimodalRankerBody(msgspec.Struct):
    query: Element
    docs: list[Element]
    options: dict[str, Any] | None = None


class RankedUsage(msgspec.Struct):
    image_token: int
    text_token: int


class MultimodalRankerReply(msgspec.Struct):
    request_id: str
    latency: int
    usage: RankedUsage
    result: Scores


class MultimodalEmbedding:
    """POST /v3/openapi/workspaces/{workspace}/multi-modal-embedding/{service_id}."""

    def __init__(self, engine: Engine, pictures: Pictures, request_timeout_s: float) -> None:
        self._engine = engine
        self._pictures = pictures
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: MultimodalBody) -> bytes:
        service_id = read_service(exchange, self._engine)
        if not 1 <= len(body.input) <= MAX_INPUTS:
            raise InvalidInput(f"input must hold 1 to {MAX_INPUTS} elements, not {len(body.input)}.", "$.input")
        check_images(
            self._engine.find(service_id, exchange.caller).facts, find_images(body.input, "$.input"), "$.input"
        )
        items = await read_elements(self._pictures, body.input, "$.input")
        call = EmbedCall(
            model=service_id,
            items=items,
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        exchange.note_ignored(options=body.options)
        return enclose(exchange, count(result, items), {"embeddings": vector_rows(result)})


class MultimodalRanker:
    """POST /v3/openapi/workspaces/{workspace}/multi-modal-reranker/{service_id}: best first, by cosine."""

    def __init__(self, engine: Engine, pictures: Pictures, request_timeout_s: float) -> None:
        self._engine = engine
        self._pictures = pictures
        self._timeout_s = request_timeout_s

    async def __call__(self, exchange: Exchange, body: MultimodalRankerBody) -> bytes:
        service_id = read_service(exchange, self._engine)
        if not 1 <= len(body.docs) <= MAX_RANKED:
            raise InvalidInput(f"docs must hold 1 to {MAX_RANKED} elements, not {len(body.docs)}.", "$.docs")
        images = {**find_images(body.docs, "$.docs"), "$.query.image": body.query.image or ""}
        check_images(self._engine.find(service_id, exchange.caller).facts, images, "$.docs", MAX_RANKED + 1)
        documents = await read_elements(self._pictures, body.docs, "$.docs")
        query = await read_element(self._pictures, body.query, "$.query", "query")
        call = EmbedCall(
            model=service_id,
            items=[*documents, query],
            caller=exchange.caller,
            deadline_s=exchange.deadline_s(self._timeout_s),
        )
        result = await self._engine.embed(call)
        exchange.note(result)
        exchange.headers["x-embedway-ranker"] = "embedder-cosine"
        exchange.note_ignored(options=body.options)
        used = count(result, call.items)
        usage = {"image_token": used["image_token"], "text_token": used["text_token"]}
        return enclose(exchange, usage, {"scores": order(result)})


def find_images(given: Sequence[Element], field: str) -> Mapping[str, str]:
    """The elements that are images, by their places."""
    return {f"{field}[{index}].image": one.image for index, one in enumerate(given) if one.image}


async def read_elements(pictures: Pictures, given: Sequence[Element], field: str) -> Sequence[Item]:
    """The items, in their order. Raises `InvalidInput` naming the element that is none."""
    return [await read_element(pictures, one, f"{field}[{index}]") for index, one in enumerate(given)]


async def read_element(pictures: Pictures, given: Element, field: str, role: Any = "document") -> Item:
    """One text or one image."""
    if given.text is not None and given.image is not None:
        raise InvalidInput("This model takes a text or an image in one element, not both.", field)
    if given.image:
        return await pictures.read(given.image, f"{field}.image")
    if not given.text:
        raise InvalidInput("An element needs a text or an image that is not empty.", field)
    return Text(given.text, role)


def count(result: EmbedResult, items: Sequence[Item]) -> Mapping[str, int]:
    """Tokens of images and of texts. Images cost the same each, or roughly so where a model keeps their size."""
    images = sum(isinstance(item, Image) for item in items)
    tokens = min(images * result.facts.image_tokens if result.facts else 0, result.usage.tokens)
    return {
        "image": images,
        "image_token": tokens,
        "text_token": result.usage.tokens - tokens,
        "token_count": result.usage.tokens,
    }


def order(result: EmbedResult) -> list[dict[str, float]]:
    """Documents by their cosine with the last vector, the query's; what is below 0 counts as 0."""
    vectors = unit_rows(np.stack(result.vectors))
    scores = np.clip(vectors[:-1] @ vectors[-1], 0.0, 1.0)
    return [{"index": int(place), "score": float(scores[place])} for place in np.argsort(-scores, kind="stable")]
