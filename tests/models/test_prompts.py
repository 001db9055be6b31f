"""Which prompt goes before a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedway.models.card import Card
from embedway.models.prompts import choose_prompts, find_documented
from embedway.types import ModelSpec

HERE = Path("model")


@pytest.mark.parametrize(
    ("source", "query", "document"),
    [
        ("intfloat/e5-small-v2", "query: ", "passage: "),
        ("intfloat/multilingual-E5-large", "query: ", "passage: "),
        ("BAAI/bge-base-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("BAAI/bge-m3", "", ""),
        ("somebody/e5-small-v2", "", ""),
    ],
)
def test_models_whose_card_names_prompts(source: str, query: str, document: str) -> None:
    """By the hub's id, in any case, and nothing for others."""
    prompts = choose_prompts(HERE, Card(), None, ModelSpec("m", source))
    assert prompts.by_role == {"query": query, "document": document}
    assert prompts.once == bool(query)


def test_the_models_own_files_go_before_its_card() -> None:
    """A folder that names prompts knows better, and its library puts them before every text."""
    prompts = choose_prompts(HERE, Card(prompts={"query": "q: "}), None, ModelSpec("m", "intfloat/e5-small-v2"))
    assert (prompts.by_role, prompts.once) == ({"query": "q: ", "document": ""}, False)


def test_the_configuration_goes_before_all() -> None:
    """Also with nothing at all."""
    spec = ModelSpec("m", "intfloat/e5-small-v2", query_prompt="ask: ", document_prompt="")
    assert choose_prompts(HERE, Card(prompts={"query": "q: "}), None, spec).by_role == {
        "query": "ask: ",
        "document": "",
    }


def test_a_service_id_stands_for_its_weights() -> None:
    """`ops-text-embedding-001` and the like get the prompts of what answers them."""
    assert find_documented("ops-text-embedding-002") == {}
    assert find_documented("no such thing") == {}
