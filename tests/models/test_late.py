"""How texts are read for late interaction, beyond what the committed cases show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embedway.backends.open import open_backend
from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.recipe import Recipe, read_recipe
from embedway.models.source import find_model
from embedway.types import ModelSpec, Output, Pair, Text
from tests.tiny import case


def read(folder: Path) -> Recipe:
    return read_recipe(find_model(str(folder)), ModelSpec("m", str(folder)))


def change(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **keys}), encoding="utf-8")


def test_a_model_of_token_vectors_gives_nothing_else(tmp_path: Path) -> None:
    """No dense vector, and no scores: a pair is refused in one sentence."""
    backend = open_backend(ModelSpec("m", str(case.load("late-unseen").write(tmp_path))))
    assert (backend.facts.outputs, backend.facts.dimensions) == (Output.TOKENS, 0)
    with pytest.raises(InvalidInput, match="it scores no pairs"):
        backend.prepare(Pair("a", "b"))
    backend.close()


def test_a_querys_cost_counts_what_it_is_filled_up_with(tmp_path: Path) -> None:
    """They go through the network like others."""
    backend = open_backend(ModelSpec("m", str(case.load("late-unseen").write(tmp_path))))
    short = backend.prepare(Text("a", "query", Output.TOKENS))
    assert short.cost == 16
    assert short.seen is not None
    assert short.seen < 16
    assert backend.prepare(Text("a", "document", Output.TOKENS)).cost < 16
    backend.close()


@pytest.mark.parametrize(
    ("keys", "length", "seen"),
    [
        ({}, 20, False),
        ({"query_length": None}, 32, False),
        ({"attend_to_expansion_tokens": True}, 20, True),
        ({"do_query_expansion": False}, None, False),
    ],
)
def test_what_pylate_says_of_queries(keys: dict[str, Any], length: int | None, seen: bool, tmp_path: Path) -> None:
    """Filled up to 32 tokens unless told otherwise; not at all when it says so."""
    folder = case.load("late-pylate").write(tmp_path)
    change(folder / "config_sentence_transformers.json", **keys)
    late = read(folder).late
    assert late is not None
    if length is None:
        assert late.expansion is None
        assert late.lengths["query"] == 20
    else:
        assert late.expansion is not None
        assert (late.expansion.length, late.expansion.seen, late.expansion.fixed) == (length, seen, True)


@pytest.mark.parametrize(
    ("path", "keys", "said"),
    [
        (
            "sentence_bert_config.json",
            {"query_expansion": {"strategy": "twice", "length": 9}},
            "The query expansion 'twice'",
        ),
        ("2_MultiVectorMask/config.json", {"keep_only_token_ids": [3]}, "keeps the vectors of certain tokens only"),
        ("3_Normalize/config.json", {"module_input_name": "sentence_embedding"}, "it normalises something else"),
    ],
)
def test_what_is_not_known_is_refused(path: str, keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    """In one sentence, at load."""
    folder = case.load("late-unseen").write(tmp_path)
    change(folder / path, **keys)
    with pytest.raises(ModelFilesError, match=said):
        read(folder)


def test_a_filler_that_the_tokenizer_does_not_know_is_refused(tmp_path: Path) -> None:
    """Queries would be filled up with another word."""
    folder = case.load("late-unseen").write(tmp_path)
    expansion = {"strategy": "fixed", "length": 16, "token": "[NOTHING]"}
    change(folder / "sentence_bert_config.json", query_expansion=expansion)
    with pytest.raises(ModelFilesError, match="does not know the token that queries are filled up with"):
        open_backend(ModelSpec("m", str(folder)))
