"""text-embeddings-inference: `/embed` and its kin, tokens, `/info`; and vLLM's `/tokenize` on the same path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.server import Server

from .configs import MODEL
from .errors import openai_refusal, tei_refusal
from .exchange import get, post
from .golden import tokens, vector_faults

TEXTS = ["opensearch product documentation", "hi"]
LONG = "one two three four " * 100


@pytest.mark.parametrize("inputs", [TEXTS, TEXTS[0]])
def test_embed(plain: Server, inputs: Any) -> None:
    """A bare list of vectors, for one text too, and the timings that its clients log."""
    answer = post(plain, "/embed", {"inputs": inputs})
    assert answer.status == 200
    assert len(answer.json()) == (2 if inputs == TEXTS else 1)
    for vector, text in zip(answer.json(), TEXTS, strict=False):
        assert vector_faults(vector, text) == []
    assert int(answer.headers["x-compute-tokens"]) == sum(tokens(text) for text in TEXTS[: len(answer.json())])


def test_the_side_and_the_policy_of_cutting(plain: Server) -> None:
    """`truncate` false refuses what is too long; `Left` keeps the end, so what stands before it changes nothing."""
    refusal = tei_refusal(post(plain, "/embed", {"inputs": [TEXTS[0], LONG], "truncate": False}), 422)
    assert "256 tokens" in refusal.message
    assert "inputs[1]" in refusal.message
    left, other = (
        post(plain, "/embed", {"inputs": start + LONG, "truncate": True, "truncation_direction": "Left"}).json()[0]
        for start in ("", "something else entirely ")
    )
    right = post(plain, "/embed", {"inputs": "something else entirely " + LONG}).json()[0]
    assert np.allclose(left, other, atol=1e-5)
    assert not np.allclose(left, right, atol=1e-2)


def test_normalize_is_named_where_it_has_no_effect(plain: Server) -> None:
    """The model's own vectors have length 1."""
    answer = post(plain, "/embed", {"inputs": "hi", "normalize": False})
    assert vector_faults(answer.json()[0], "hi") == []
    assert answer.headers["x-embedway-ignored"] == "normalize"
    assert "x-embedway-ignored" not in post(plain, "/embed", {"inputs": "hi", "normalize": True}).headers


def test_embed_all(plain: Server) -> None:
    """A state for each token, special ones too; their mean, brought to length 1, is the vector."""
    (states,) = post(plain, "/embed_all", {"inputs": TEXTS[0]}).json()
    assert np.array(states).shape == (tokens(TEXTS[0]), 384)
    mean = np.mean(states, axis=0)
    assert vector_faults((mean / np.linalg.norm(mean)).tolist(), TEXTS[0]) == []


def test_embed_sparse(plain: Server) -> None:
    """Ascending ids, and a header that says that they were not learned."""
    answer = post(plain, "/embed_sparse", {"inputs": ["hello hello world"]})
    (row,) = answer.json()
    assert [list(term) for term in row] == [["index", "value"]] * 2
    assert [term["index"] for term in row] == [2088, 7592]
    assert row[1]["value"] > row[0]["value"] > 0
    assert answer.headers["x-embedway-sparse"] == "bm25"


def test_similarity(plain: Server) -> None:
    """A cosine for each sentence, in their order."""
    inputs = {"source_sentence": "a cat", "sentences": ["a car", "a kitten", "a cat"]}
    car, kitten, cat = post(plain, "/similarity", {"inputs": inputs, "parameters": {"truncate": True}}).json()
    assert cat == pytest.approx(1, abs=1e-5)
    assert car < kitten < cat


def test_the_sentence_at_fault_is_named(plain: Server) -> None:
    """The source, or a sentence by its own place."""
    for inputs, field in (
        ({"source_sentence": "", "sentences": ["a"]}, "inputs.source_sentence"),
        ({"source_sentence": "a", "sentences": ["a", ""]}, "inputs.sentences[1]"),
    ):
        assert field in tei_refusal(post(plain, "/similarity", {"inputs": inputs}), 400).message


def test_tokenize_and_decode(plain: Server) -> None:
    """Tokens with their places in bytes; back again they are the text, in the model's own spelling."""
    (row,) = post(plain, "/tokenize", {"inputs": "Ein schöner Tag"}).json()
    assert [list(token) for token in row] == [["id", "text", "special", "start", "stop"]] * len(row)
    assert (row[0]["text"], row[0]["special"], row[0]["start"]) == ("[CLS]", True, None)
    raw = "Ein schöner Tag".encode()
    assert all(raw[token["start"] : token["stop"]].decode() == token["text"] for token in row[1:-1])
    ids = [token["id"] for token in row]
    assert post(plain, "/decode", {"ids": ids}).json() == ["ein schoner tag"]
    whole = post(plain, "/decode", {"ids": [ids, ids[:1]], "skip_special_tokens": False}).json()
    assert whole == ["[CLS] ein schoner tag [SEP]", "[CLS]"]
    (bare,) = post(plain, "/tokenize", {"inputs": ["Ein schöner Tag"], "add_special_tokens": False}).json()
    assert [token["id"] for token in bare] == ids[1:-1]


def test_a_long_text_is_tokenized_whole(plain: Server) -> None:
    """Whatever the model reads."""
    (row,) = post(plain, "/tokenize", {"inputs": LONG}).json()
    assert len(row) == 402
    assert tei_refusal(post(plain, "/tokenize", {"inputs": "a " * 600_000}), 413).message.startswith(
        "At most 1,000,000"
    )


def test_vllm_shares_the_path(plain: Server) -> None:
    """A body with `prompt` is vLLM's, in words and reply."""
    answer = post(plain, "/tokenize", {"model": MODEL, "prompt": "hello", "return_token_strs": True})
    assert answer.json() == {
        "count": 3,
        "max_model_len": 256,
        "tokens": [101, 7592, 102],
        "token_strs": ["[CLS]", "hello", "[SEP]"],
    }
    assert post(plain, "/detokenize", {"tokens": [101, 7592, 102]}).json() == {"prompt": "[CLS] hello [SEP]"}
    openai_refusal(post(plain, "/tokenize", {"prompt": "hello", "model": "nobody"}), 404)
    openai_refusal(post(plain, "/detokenize", {"tokens": [-1]}), 400)


def test_info(plain: Server) -> None:
    """What its clients read before they send anything."""
    found = get(plain, "/info").json()
    assert found["model_id"] == MODEL
    assert found["model_dtype"] == "float32"
    assert found["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (found["max_input_length"], found["auto_truncate"]) == (256, True)
    assert found["max_client_batch_size"] >= 32
    assert found["max_batch_tokens"] == 2048


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/embed", {"inputs": []}, 400, "Empty"),
        ("/embed", {"inputs": ["a", ""]}, 400, "Empty"),
        ("/embed", {"inputs": [101, 7592]}, 422, "Validation"),
        ("/embed", {"inputs": "a", "prompt_name": "no such"}, 422, "Validation"),
        ("/embed", {"inputs": "a", "truncation_direction": "up"}, 422, "Validation"),
        ("/embed", {"inputs": "a", "dimensions": 100}, 422, "Validation"),
        ("/embed", {"inputs": ["a"] * 2049}, 413, "Validation"),
        ("/embed", {"inputs": "a", "model": "nobody"}, 404, "NotFound"),
        ("/embed", {}, 422, "Validation"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, 400, "Empty"),
        ("/similarity", {"inputs": {"source_sentence": "", "sentences": ["a"]}}, 400, "Empty"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["a"] * 2049}}, 413, "Validation"),
        ("/decode", {"ids": [101] * 250_001}, 413, "Validation"),
        ("/decode", {"ids": []}, 400, "Empty"),
        ("/decode", {"ids": [40_000]}, 422, "Validation"),
        ("/decode", {"ids": [[101], 102]}, 422, "Validation"),
    ],
)
def test_errors(plain: Server, path: str, body: Any, status: int, kind: str) -> None:
    """In its own words."""
    assert tei_refusal(post(plain, path, body), status).code == kind
