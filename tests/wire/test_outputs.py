"""Several outputs of one request: vectors, weights of terms and token vectors from one pass of the model."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.robustness.running import metric
from tests.server import Server, serving
from tests.tiny import case
from tests.tiny.texts import TEXTS

from .errors import openai_refusal
from .exchange import Answer, get, post
from .golden import vector_faults

PATH = "/v1/embeddings"
ALL = ["dense", "sparse", "tokens"]
COUNT = 8


def ask(server: Server, **more: Any) -> Answer:
    answer = post(server, PATH, {"model": "multi", "input": list(TEXTS[:COUNT]), "outputs": ALL, **more})
    assert answer.status == 200, answer.body[:300]
    return answer


def test_three_outputs_of_bge_m3(ranking: Server) -> None:
    """Each is what the reference library gives for it."""
    wanted = case.answers("bge-m3")
    kept = iter(np.split(wanted["tokens"], np.cumsum(wanted["counts"] - 1)))
    for index, row in enumerate(ask(ranking).json()["data"]):
        assert list(row) == ["object", "embedding", "index", "sparse_embedding", "token_embeddings"]
        assert np.allclose(row["embedding"], wanted["dense"][index], atol=1e-4)
        terms = np.zeros(wanted["terms"].shape[1])
        terms[row["sparse_embedding"]["indices"]] = row["sparse_embedding"]["values"]
        assert np.allclose(terms, wanted["terms"][index], atol=1e-4)
        assert row["sparse_embedding"]["indices"] == sorted(row["sparse_embedding"]["indices"])
        assert np.allclose(row["token_embeddings"], next(kept), atol=1e-4)


def test_one_pass_serves_them_all(ranking: Server) -> None:
    """One batch more in the metrics, with each text once."""

    def counted() -> tuple[float, ...]:
        names = ("embedway_batch_items_count", "embedway_batch_items_sum", "embedway_tokens_total")
        return tuple(metric(ranking, name, model="multi") for name in names)

    batches, items, tokens = counted()
    read = ask(ranking).json()["usage"]["total_tokens"]
    assert read == case.answers("bge-m3")["counts"][:COUNT].sum()
    assert counted() == (batches + 1, items + COUNT, tokens + read)


@pytest.mark.parametrize(
    ("outputs", "keys"),
    [
        (["dense"], ["object", "embedding", "index"]),
        (["sparse"], ["object", "index", "sparse_embedding"]),
        (["tokens", "tokens"], ["object", "index", "token_embeddings"]),
        (["sparse", "dense"], ["object", "embedding", "index", "sparse_embedding"]),
    ],
)
def test_only_what_is_asked_for_is_there(ranking: Server, outputs: list[str], keys: list[str]) -> None:
    """In every row."""
    rows = ask(ranking, outputs=outputs).json()["data"]
    assert [list(row) for row in rows] == [keys] * COUNT


def test_base64(ranking: Server) -> None:
    """The vector, and each token's vector; terms stay as they are."""
    plainly, packed = ask(ranking).json()["data"], ask(ranking, encoding_format="base64").json()["data"]
    for left, right in zip(plainly, packed, strict=True):
        assert np.allclose(np.frombuffer(base64.b64decode(right["embedding"]), "<f4"), left["embedding"], atol=1e-6)
        tokens = [np.frombuffer(base64.b64decode(row), "<f4") for row in right["token_embeddings"]]
        assert np.allclose(tokens, left["token_embeddings"], atol=1e-6)
        assert left["sparse_embedding"] == right["sparse_embedding"]


def test_fewer_bits(ranking: Server) -> None:
    """Token vectors are quantised as vectors are, of several types too."""
    plainly = ask(ranking).json()["data"][0]
    row = ask(ranking, embedding_type="ubinary").json()["data"][0]
    assert row["embedding"] == np.packbits(np.array(plainly["embedding"]) > 0).tolist()
    tokens = np.array(plainly["token_embeddings"])
    assert row["token_embeddings"] == np.packbits(tokens > 0, axis=1).tolist()
    several = ask(ranking, embedding_type=["int8", "ubinary"]).json()["data"][0]
    assert several["token_embeddings"]["ubinary"] == row["token_embeddings"]
    assert np.array(several["token_embeddings"]["int8"]).shape == tokens.shape


def test_the_bundled_model_gives_all_three(plain: Server) -> None:
    """Its terms are BM25's and a header says so; its token vectors stand for the words."""
    answer = post(plain, PATH, {"input": "hi", "outputs": ALL})
    row = answer.json()["data"][0]
    assert vector_faults(row["embedding"], "hi") == []
    assert len(row["sparse_embedding"]["indices"]) == len(row["sparse_embedding"]["values"]) == 1
    assert len(row["token_embeddings"]) == 1
    assert answer.headers["x-embedway-sparse"] == "bm25"
    assert answer.headers["x-compute-tokens"] == "3"


def test_a_model_that_has_not_what_is_asked_for(ranking: Server, pictured: Server) -> None:
    """400 before any work."""
    openai_refusal(post(ranking, PATH, {"model": "scorer", "input": "a", "outputs": ["sparse"]}), 400)
    refusal = openai_refusal(post(pictured, PATH, {"model": "clip", "input": "a", "outputs": ["dense", "tokens"]}), 400)
    assert refusal.param == "outputs"
    assert "dense" in refusal.message


def test_models_without_vectors(tmp_path: Path) -> None:
    """They answer what they have, and to a request that names no outputs they say what that is."""
    config = ""
    for name in ("splade-bert", "late-pylate"):
        (tmp_path / name).mkdir()
        case.load(name).write(tmp_path / name)
        config += f'[[model]]\nname = "{name}"\nsource = "{tmp_path / name}"\ndtype = "fp32"\n'
    with serving(tmp_path, config=config) as server:
        for name, output in (("splade-bert", "sparse"), ("late-pylate", "tokens")):
            asked = {"model": name, "input": TEXTS[0]}
            refusal = openai_refusal(post(server, PATH, asked), 400)
            assert (refusal.param, f"gives {output}:" in refusal.message) == ("outputs", True)
            row = post(server, PATH, asked | {"outputs": [output]}).json()["data"][0]
            assert row[{"sparse": "sparse_embedding", "tokens": "token_embeddings"}[output]]
            assert post(server, "/v2/embed", {"model": name, "texts": ["a"]}).status == 400


def test_the_openapi_document_tells_of_them(plain: Server) -> None:
    """The fields of the body and of a row."""
    schemas = get(plain, "/openapi.json").json()["components"]["schemas"]
    assert {"outputs", "embedding_type", "task"} <= set(schemas["EmbeddingsBody"]["properties"])
    assert {"sparse_embedding", "token_embeddings"} <= set(schemas["EmbeddingRow"]["properties"])


def test_token_vectors_of_too_many_texts(plain: Server) -> None:
    """One answer holds so many numbers and no more; ranking, which keeps only scores, is not bound by it."""
    texts = ["word " * 250] * 100
    body = {"model": "all-MiniLM-L6-v2", "input": texts, "outputs": ["tokens"]}
    assert "send fewer texts" in openai_refusal(post(plain, "/v1/embeddings", body), 400).message
    assert post(plain, "/v1/rerank", {"query": "word", "documents": texts}).status == 200
