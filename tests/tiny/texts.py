"""The texts that tiny models are asked about: many scripts and lengths, some longer than the models read."""

from __future__ import annotations

from tests.reference import texts

CHOSEN = texts.samples()[::20]
TEXTS = [sample.text for sample in CHOSEN]
NAMES = [sample.name for sample in CHOSEN]
PAIRS = [(TEXTS[index * 7 % len(TEXTS)], text) for index, text in enumerate(TEXTS)]
"""Short beside long, long beside short, both too long together."""
