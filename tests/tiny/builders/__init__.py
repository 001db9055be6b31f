"""Builders of tiny models, by the case's name. A builder writes a folder as its library saves it.

Each module has `BUILDERS: list[Builder]`; a new one is named in `modules`.
"""

from __future__ import annotations

from importlib import import_module

from .builder import Builder

MODULES = ("decoders", "encoders", "heads", "late", "questions", "terms")


def builders() -> dict[str, Builder]:
    """All of them."""
    found = [one for name in MODULES for one in import_module(f"{__name__}.{name}").BUILDERS]
    return {builder.name: builder for builder in found}
