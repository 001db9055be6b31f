"""Images in the bodies of every dialect: a URL, base64 or a data URI."""

from __future__ import annotations

import asyncio

from embedway.egress import Egress
from embedway.errors import InvalidInput
from embedway.models.images import parse_base64, parse_data_uri
from embedway.types import Image


class Pictures:
    """Images as callers name them."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def read(self, given: str, field: str) -> Image:
        """The image behind a URL, or in base64 or a data URI. Raises `InvalidInput` naming the field."""
        try:
            if given[:8].lower().startswith(("http://", "https://")):
                return Image(await self._egress.fetch(given))
            parse = parse_data_uri if given[:5].lower() == "data:" else parse_base64
            return Image(await asyncio.to_thread(parse, given))  # it may be megabytes
        except InvalidInput as error:
            raise InvalidInput(error.message, field) from error
