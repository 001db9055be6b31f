"""What a model does not do is refused by its facts, before anything is opened or asked."""

from __future__ import annotations

import pytest

from embedway.backends.remote import remote_facts
from embedway.engine.checks import check_items
from embedway.errors import InvalidInput
from embedway.types import Image, Item, Output, Pair, RemoteKind, Text
from tests.backends.services import registered, remote


@pytest.mark.parametrize(
    ("kind", "item", "said"),
    [
        ("text_embedding", Image(b"x"), "reads texts only"),
        ("text_embedding", Text("x", outputs=Output.SPARSE), "gives no weights of terms"),
        ("text_embedding", Text("x", outputs=Output.CONTENT), "gives no account of what a picture holds"),
        ("text_embedding", Pair("x", "y"), "embeds texts; it scores nothing"),
        ("text_sparse_embedding", Text("x"), "weighs terms"),
        ("image_embedding", Text("x"), "reads images only"),
        ("image_embedding", Pair("x", "y"), "embeds images; it scores nothing"),
        ("image_analyze", Image(b"x"), "says what a picture holds; it gives no vectors"),
    ],
)
def test_a_remote_model_of_each_kind(kind: RemoteKind, item: Item, said: str) -> None:
    """In words that say what it does, and which item is meant."""
    facts = remote_facts(registered(remote("https://api.example.com/", kind)))
    good: Item = Text("x", outputs=facts.outputs) if kind.startswith("text") else Image(b"x", outputs=facts.outputs)
    check_items(facts, [good])
    with pytest.raises(InvalidInput, match=said) as caught:
        check_items(facts, [good, item])
    assert caught.value.item == 1
