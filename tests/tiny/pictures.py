"""The images that tiny models are asked about: made from formulas, in every format and mode that is read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
"""The EXIF tag that says how a picture was held."""


def scene(width: int, height: int, kind: int) -> Image.Image:
    """Stripes and a disc in strong colours, another for each `kind`."""
    rng = np.random.default_rng(kind)
    down, across = np.mgrid[0:height, 0:width] / max(width, height)
    one, two, three = rng.integers(0, 256, (3, 3))
    angle, pace = rng.uniform(0, np.pi), rng.uniform(4, 16)
    striped = np.sin((down * np.sin(angle) + across * np.cos(angle)) * 2 * np.pi * pace) > 0
    disc = (down - rng.uniform(0, height / width)) ** 2 + (across - rng.uniform()) ** 2 < rng.uniform(0.02, 0.2)
    pixels = np.where(striped[..., None], one, two)
    return Image.fromarray(np.where(disc[..., None], three, pixels).astype(np.uint8))


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _alpha() -> Image.Image:
    picture = scene(40, 40, 5).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((40, 40)))
    return picture


def _turned() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return encode(scene(60, 34, 8), "JPEG", quality=95, exif=exif)


def _deep() -> bytes:
    """Sixteen bits of grey for each pixel."""
    rows = np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16)
    return encode(Image.fromarray(rows), "PNG")


PICTURES = {
    "tall": encode(scene(24, 90, 1), "PNG"),
    "wide": encode(scene(120, 33, 2), "PNG"),
    "one pixel": encode(Image.new("RGB", (1, 1), (200, 30, 90)), "PNG"),
    "exact": encode(scene(32, 32, 3), "PNG"),
    "large": encode(scene(400, 300, 4), "JPEG", quality=90),
    "alpha": encode(_alpha(), "PNG"),
    "palette": encode(scene(50, 40, 6).quantize(8), "PNG"),
    "palette with a transparent colour": encode(scene(50, 40, 7).quantize(8), "PNG", transparency=1),
    "turned by EXIF": _turned(),
    "grey": encode(scene(45, 61, 9).convert("L"), "PNG"),
    "two colours": encode(scene(45, 61, 10).convert("1"), "PNG"),
    "CMYK": encode(scene(50, 50, 11).convert("CMYK"), "JPEG", quality=95),
    "16 bits": _deep(),
    "GIF of two frames": encode(scene(40, 50, 12), "GIF", save_all=True, append_images=[scene(40, 50, 13)]),
    "WebP": encode(scene(70, 40, 14), "WEBP", lossless=True),
    "BMP": encode(scene(33, 47, 15), "BMP"),
}
"""Whole files by what is special about them."""
