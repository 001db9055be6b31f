"""What belongs before a text, by its role: as configured, else by the model's own files, else as its card says.

Some well-known models were trained with prompts that only the text of their card names. They are listed here by the
hub's id. As their users were told to put them there by themselves, a text that begins with one already gets no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedway.errors import ModelFilesError
from embedway.models.card import Card
from embedway.models.services import SERVICES
from embedway.types import ModelSpec, Role

NAMES: Mapping[Role, Sequence[str]] = {"query": ("query", "s2p_query"), "document": ("document", "passage", "corpus")}
"""The names under which models keep the prompt of a role; the first that is there is taken."""

INSTRUCTED = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
DOCUMENTED: Sequence[tuple[str, Mapping[Role, str]]] = (
    (r"intfloat/(multilingual-)?e5-(small|base|large)(-v2)?", {"query": "query: ", "document": "passage: "}),
    (r"intfloat/multilingual-e5-large-instruct", {"query": INSTRUCTED}),
    (
        r"BAAI/bge-(small|base|large)-en(-v1\.5)?|WhereIsAI/UAE-Large-V1",
        {"query": "Represent this sentence for searching relevant passages: "},
    ),
    (r"BAAI/bge-(small|base|large)-zh(-v1\.5)?", {"query": "为这个句子生成表示以用于检索相关文章："}),
    (r"nomic-ai/nomic-embed-text-v1(\.5)?", {"query": "search_query: ", "document": "search_document: "}),
)
"""Patterns of the hub's ids, and the prompts that their model cards name."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """`by_role` has both roles, "" for none; `named` are those of the model's files by the names they have there.
    `once`: a text that begins with one of them gets none.
    """

    by_role: Mapping[Role, str]
    once: bool = False
    named: Mapping[str, str] = field(default_factory=dict)


def choose_prompts(folder: Path, card: Card, own: Mapping[Role, str] | None, spec: ModelSpec) -> Prompts:
    """The prompts of a model: `own` are those that its heads bring, before those of the card."""
    found = own or read_prompts(folder, card)
    documented = {} if any(found.values()) else find_documented(spec.source)
    configured = {"query": spec.query_prompt, "document": spec.document_prompt}
    by_role: dict[Role, str] = {}
    for role in NAMES:
        asked = configured[role]
        by_role[role] = asked if asked is not None else found[role] or documented.get(role, "")
    named: dict[str, str] = {role: prompt for role, prompt in by_role.items() if prompt}
    named.update((name, prompt or "") for name, prompt in (card.prompts or {}).items())
    return Prompts(by_role, once=bool(documented), named=named)


def read_prompts(folder: Path, card: Card) -> Mapping[Role, str]:
    """Each role's prompt: under its own names, else the default one, else none.

    The library fills in an empty "document" and so never reaches "passage"; the cards of models mean that one too.
    PyLate's markers stand before the prompts.
    """
    prompts = card.prompts or {}
    default = card.default_prompt_name
    if default is not None and default not in (*prompts, "query", "document"):
        raise ModelFilesError(f"{folder}: default_prompt_name is {default!r}, but there is no prompt of that name.")
    markers: Mapping[Role, str | None] = {"query": card.query_prefix, "document": card.document_prefix}
    found: dict[Role, str] = {}
    for role, names in NAMES.items():
        marker = markers[role] or ""
        prompt = next((prompts[name] for name in names if name in prompts), prompts.get(default or "")) or ""
        found[role] = marker + prompt.removeprefix(marker)
    return found


def find_documented(source: str) -> Mapping[Role, str]:
    """What the card of a well-known model says; empty for others."""
    if source in SERVICES:
        source = SERVICES[source].weights or ""
    return next((prompts for pattern, prompts in DOCUMENTED if re.fullmatch(pattern, source, re.IGNORECASE)), {})
