"""Images in the bodies of every dialect: a URL, base64 or a data URI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from embedway.egress import Egress
from embedway.errors import InvalidInput
from embedway.models.images import parse_base64, parse_data_uri
from embedway.types import Facts, Image

MOST_IMAGES = 32
"""In one request, each of up to `models.images.LIMITS` bytes."""
FETCHED_TOGETHER = 8
"""URLs, of all requests."""


class Pictures:
    """Images as callers name them."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._room = asyncio.Semaphore(FETCHED_TOGETHER)

    async def read(self, given: str, field: str) -> Image:
        """The image behind a URL, or in base64 or a data URI. Raises `InvalidInput` naming the field."""
        try:
            if is_url(given):
                async with self._room:
                    return Image(await self._egress.fetch(given))
            parse = parse_data_uri if given[:5].lower() == "data:" else parse_base64
            return Image(await asyncio.to_thread(parse, given))  # it may be megabytes
        except InvalidInput as error:
            raise InvalidInput(error.message, field) from error


def check_images(facts: Facts | None, images: Mapping[str, str], field: str, most: int = MOST_IMAGES) -> None:
    """Raise `InvalidInput` for more images than `most`, and for URLs that a model of texts would have fetched.

    `images` are what was given, by its place in the body; `field` is that of all of them.
    """
    if len(images) > most:
        raise InvalidInput(f"A request may hold {most} images, not {len(images)}.", field)
    url = next((place for place, given in images.items() if is_url(given)), None)
    if url is not None and facts is not None and "image" not in facts.modalities:
        raise InvalidInput("This model reads texts only: send images to a model that embeds them.", url)


def is_url(given: str) -> bool:
    """Whether an image is to be fetched."""
    return given[:8].lower().startswith(("http://", "https://"))
