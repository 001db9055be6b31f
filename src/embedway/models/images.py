"""Bytes to checked pictures: what they are is read from the bytes, and how much they may hold is checked before any of
it is decoded.

A file is read as transformers 5.23 with Pillow reads one that is given as a data URI: the first frame of several,
upright by its EXIF tag, converted to RGB. So an alpha channel is dropped, and a colour that stands for transparent, as
palettes have it, becomes white.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Literal

import pybase64
from PIL import Image, ImageOps

from embedway.errors import InvalidInput

Kind = Literal["PNG", "JPEG", "WEBP", "GIF", "BMP"]

_DATA_URI = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<options>(?:;[\w.+-]+=[^;,]*)*)(?P<base64>;base64)?,", re.I
)
_SPACE = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one image may hold: `bytes` as a file, `pixels` in width times height. Three bytes are kept for each pixel,
    four where there is transparency, while it is decoded.
    """

    bytes: int = 20 * 2**20
    pixels: int = 50_000_000


LIMITS = ImageLimits()


def read_image(data: bytes, limits: ImageLimits = LIMITS) -> Image.Image:
    """The picture in RGB, upright. Raises `InvalidInput` for what is no image, damaged, or beyond the limits."""
    if len(data) > limits.bytes:
        raise InvalidInput(f"The image has {len(data):,} bytes: at most {limits.bytes:,} are read, send a smaller one.")
    kind = sniff(data)
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as file:
            width, height = file.size
            if 0 < width * height <= limits.pixels:
                return to_rgb(ImageOps.exif_transpose(file))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # Pillow's own, higher limits
        raise InvalidInput(f"The image has more than {limits.pixels:,} pixels: send a smaller one.") from error
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them stumble over
        raise InvalidInput(f"The image looks like {kind} but is damaged or cut short: send the whole file.") from error
    raise InvalidInput(f"The image has {width} x {height} pixels: 1 to {limits.pixels:,} are read, send a smaller one.")


def to_rgb(picture: Image.Image) -> Image.Image:
    """The library's two steps: its loader drops alpha, its processor lays what is transparent then over white."""
    plain = picture.convert("RGB")
    if plain.info.get("transparency") is None:
        return plain
    white = Image.new("RGBA", plain.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, plain.convert("RGBA")).convert("RGB")


def sniff(data: bytes) -> Kind:
    """The file's format by its first bytes. Raises `InvalidInput` for one that is not read."""
    signatures: tuple[tuple[Kind, bool], ...] = (
        ("PNG", data.startswith(b"\x89PNG\r\n\x1a\n")),
        ("JPEG", data.startswith(b"\xff\xd8\xff")),
        ("WEBP", data[:4] == b"RIFF" and data[8:12] == b"WEBP"),
        ("GIF", data[:6] in (b"GIF87a", b"GIF89a")),
        ("BMP", data.startswith(b"BM")),
    )
    found = next((kind for kind, fits in signatures if fits), None)
    if found is None:
        raise InvalidInput("The image is not a PNG, JPEG, WebP, GIF or BMP file: send one of these.")
    return found


def parse_base64(text: str, limits: ImageLimits = LIMITS) -> bytes:
    """The bytes of base64, RFC 4648 section 4; white space does not count. Raises `InvalidInput`."""
    packed = _SPACE.sub("", text)
    if len(packed) // 4 * 3 > limits.bytes + 3:
        raise InvalidInput(f"The image has more than {limits.bytes:,} bytes: send a smaller one.")
    try:
        return pybase64.b64decode(packed, validate=True)
    except ValueError as error:
        raise InvalidInput("The image is not valid base64: encode the bytes of the file.") from error


def parse_data_uri(text: str, limits: ImageLimits = LIMITS) -> bytes:
    """The bytes of a data URI, RFC 2397, of an image in base64; which format it names does not matter. Raises
    `InvalidInput`.
    """
    head = _DATA_URI.match(text[:512])
    if head is None or head["base64"] is None:
        raise InvalidInput("The image is not a data URI in base64: write data:image/png;base64, and the encoded file.")
    if not (head["type"] or "").lower().startswith("image/"):
        raise InvalidInput(f"The data URI is of type {head['type'] or 'text/plain'}: send an image.")
    return parse_base64(text[head.end() :], limits)
