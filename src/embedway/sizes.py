"""Amounts of memory as people write and read them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def parse_bytes(text: str) -> int:
    """Bytes from `8GiB`, `512 MiB`, `1.5GB` or a plain number. Raises `ValueError` for anything else, and for 0."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text, re.ASCII)
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError(f"{text!r} is no amount of memory")
    amount = int(float(found[1]) * _UNITS[found[2].upper()])
    if amount == 0:
        raise ValueError("an amount of memory must be more than nothing")
    return amount


def show_bytes(amount: int) -> str:
    """`1.2 GiB`, or `340 MiB` below one GiB."""
    mib = amount / 2**20
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"
