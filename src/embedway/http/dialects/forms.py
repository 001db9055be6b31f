"""The forms that vectors take on the wire: floats, fewer bits, base64 of either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from embedway.vectors import Floats, encode_base64, quantize

Form = Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]
"""`base64` is that of float32."""


def write_rows(rows: Floats, form: Form, packed: bool = False) -> Sequence[Any]:
    """`[n, width]` row by row, ready for orjson: arrays, or base64 of their bytes for the form `base64` and where
    `packed`.
    """
    if form == "base64":
        return [encode_base64(row) for row in rows]
    found = quantize(rows, form)
    return [encode_base64(row) for row in found] if packed else list(found)
