"""Damaged images: each is a picture or an `InvalidInput`, never anything else."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as some

from embedway.errors import InvalidInput
from embedway.models.images import ImageLimits, parse_base64, parse_data_uri, read_image
from tests.tiny.pictures import PICTURES

FEW = ImageLimits(pixels=1_000_000)
"""So that a damaged header does not ask for minutes of decoding."""


@given(
    name=some.sampled_from(sorted(PICTURES)),
    places=some.lists(some.tuples(some.floats(0, 1, exclude_max=True), some.integers(0, 255)), min_size=1, max_size=8),
    kept=some.floats(0, 1),
)
def test_bytes_that_are_changed_or_missing(name: str, places: list[tuple[float, int]], kept: float) -> None:
    """Anywhere in the file, in every format."""
    data = bytearray(PICTURES[name])
    for place, byte in places:
        data[int(place * len(data))] = byte
    with contextlib.suppress(InvalidInput):
        picture = read_image(bytes(data[: max(1, int(kept * len(data)))]), FEW)
        assert picture.mode == "RGB"
        assert 0 < picture.width * picture.height <= FEW.pixels


@given(some.text(max_size=200), some.sampled_from(["", "data:", "data:image/png;base64,", "data:image/png;base64"]))
def test_any_text_as_base64(text: str, head: str) -> None:
    """Bytes, or what is wrong."""
    for parse in (parse_base64, parse_data_uri):
        with contextlib.suppress(InvalidInput):
            assert isinstance(parse(head + text), bytes)
