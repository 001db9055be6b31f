"""Bytes to checked pictures: formats, limits, damage, base64 and data URIs."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

from embedway.errors import InvalidInput
from embedway.models.images import ImageLimits, parse_base64, parse_data_uri, read_image, sniff
from tests.tiny.pictures import PICTURES, encode, scene

SMALL = ImageLimits(bytes=2_000, pixels=1_000)


@pytest.mark.parametrize("name", PICTURES)
def test_every_format_and_mode_becomes_rgb(name: str) -> None:
    """As large as it is, upright."""
    width, height = Image.open(io.BytesIO(PICTURES[name])).size
    picture = read_image(PICTURES[name])
    assert picture.mode == "RGB"
    assert picture.size == ((height, width) if name == "turned by EXIF" else (width, height))


def test_the_first_frame_of_several_is_read() -> None:
    """Of an animation, which the library reads so too."""
    still = encode(scene(40, 50, 12), "GIF")
    assert np.array_equal(np.asarray(read_image(PICTURES["GIF of two frames"])), np.asarray(read_image(still)))


def test_an_alpha_channel_is_dropped_and_a_transparent_colour_is_white() -> None:
    """What the library's loader and its processor do, one after the other."""
    half = Image.new("RGBA", (4, 4), (10, 20, 30, 128))
    assert read_image(encode(half, "PNG")).getpixel((0, 0)) == (10, 20, 30)
    marked = Image.new("P", (2, 1))
    marked.putpalette([10, 20, 30, 200, 100, 50])
    marked.putpixel((1, 0), 1)
    picture = read_image(encode(marked, "PNG", transparency=1))
    assert [picture.getpixel((place, 0)) for place in (0, 1)] == [(10, 20, 30), (255, 255, 255)]


def test_the_type_is_read_from_the_bytes() -> None:
    assert {sniff(data) for data in PICTURES.values()} == {"PNG", "JPEG", "GIF", "WEBP", "BMP"}


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7 ...", b"RIFF1234WAVE", encode(scene(8, 8, 1), "TIFF")])
def test_what_is_no_image_that_is_read_is_refused(data: bytes) -> None:
    """Formats that Pillow knows beyond these too."""
    with pytest.raises(InvalidInput, match="is not a PNG, JPEG, WebP, GIF or BMP"):
        read_image(data)


@pytest.mark.parametrize("name", ["exact", "large", "WebP", "BMP"])
def test_an_image_cut_short_is_refused(name: str) -> None:
    for kept in (12, len(PICTURES[name]) // 2):
        with pytest.raises(InvalidInput, match="damaged or cut short"):
            read_image(PICTURES[name][:kept])


def test_a_large_file_is_refused_unread() -> None:
    with pytest.raises(InvalidInput, match="2,001 bytes: at most 2,000"):
        read_image(bytes(2_001), SMALL)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """A file of a few bytes that claims to be huge: with no pixels in it, decoding would have failed first."""
    with pytest.raises(InvalidInput, match="50 x 40 pixels: 1 to 1,000"):
        read_image(encode(Image.new("RGB", (50, 40)), "PNG"), SMALL)
    with pytest.raises(InvalidInput, match="8000 x 8000 pixels"):
        read_image(empty_png(8_000, 8_000))
    for side in (12_000, 60_000):  # here Pillow itself warns, and refuses
        with pytest.raises(InvalidInput, match="more than 50,000,000 pixels"):
            read_image(empty_png(side, side))


def empty_png(width: int, height: int) -> bytes:
    """A file that ends after its header."""
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    data = b"IDAT" + zlib.compress(b"")
    parts = [len(part) - 4 for part in (head, data)]
    chunks = [
        size.to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big")
        for size, part in zip(parts, (head, data), strict=True)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_base64_and_data_uris_give_the_bytes() -> None:
    """With line breaks, and whatever image type is named."""
    data = PICTURES["exact"]
    text = base64.b64encode(data).decode()
    assert parse_base64(text) == parse_base64("\n".join(text[at : at + 76] for at in range(0, len(text), 76))) == data
    for head in ("data:image/png;base64,", "DATA:image/jpeg;name=a.jpg;base64,"):
        assert parse_data_uri(head + text) == data


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("https://example.org/a.png", "not a data URI"),
        ("data:image/png,abc", "not a data URI in base64"),
        ("data:text/plain;base64,aGVsbG8=", "of type text/plain"),
        ("data:;base64,aGVsbG8=", "of type text/plain"),
        ("data:image/png;base64,!!!!", "not valid base64"),
        ("data:image/png;base64,aGVsbG8", "not valid base64"),
        ("data:image/png;base64," + "A" * 2_800, "more than 2,000 bytes"),
    ],
)
def test_what_is_no_image_in_base64_is_refused(uri: str, said: str) -> None:
    """In one sentence that says what is wrong."""
    with pytest.raises(InvalidInput, match=said):
        parse_data_uri(uri, SMALL)
