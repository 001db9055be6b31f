"""Cohere's embed: every type of numbers, the ways to give inputs, its reply and its refusals."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests.server import Server
from tests.tiny import case
from tests.tiny.pictures import PICTURES
from tests.tiny.texts import TEXTS

from .configs import MODEL
from .errors import cohere_refusal
from .exchange import KEY, get, post
from .golden import DIMENSIONS, decode, tokens, vector_faults

PATH = "/v2/embed"
GIVEN = ["hi", "opensearch product documentation"]
BODY = {"model": MODEL, "texts": GIVEN, "input_type": "search_document"}
ALL = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
NULLS = dict.fromkeys(
    ["images", "inputs", "embedding_types", "output_dimension", "max_tokens", "truncate", "priority", "input_type"]
)


def data_uri(name: str, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(PICTURES[name]).decode()}"


def floats(server: Server, body: dict[str, Any], path: str = PATH) -> np.ndarray:
    """The vectors of a request."""
    answer = post(server, path, body)
    assert answer.status == 200, answer.body[:300]
    return np.array(answer.json()["embeddings"]["float"])


def test_every_type_in_one_reply(plain: Server) -> None:
    """In the order asked for, each the same vector in other numbers."""
    answer = post(plain, PATH, BODY | {"embedding_types": ALL})
    found = answer.json()["embeddings"]
    assert list(found) == ALL
    for index, text in enumerate(GIVEN):
        assert vector_faults(found["float"][index], text) == []
        assert vector_faults(decode(found["base64"][index]), text) == []
        vector = np.array(found["float"][index])
        steps = np.array(found["int8"][index])
        assert vector @ steps / np.linalg.norm(steps) > 0.9995
        assert found["uint8"][index] == (steps + 128).tolist()
        assert found["ubinary"][index] == np.packbits(vector > 0).tolist()
        assert found["binary"][index] == [byte - 128 for byte in found["ubinary"][index]]
        assert len(found["binary"][index]) == DIMENSIONS // 8


def test_numbers_do_not_depend_on_the_other_texts(plain: Server) -> None:
    """A text's int8 is the same alone and among others."""
    types = {"embedding_types": ["int8"]}
    alone = post(plain, PATH, BODY | types | {"texts": ["hi"]}).json()["embeddings"]["int8"][0]
    among = post(plain, PATH, BODY | types | {"texts": ["a", "hi", "science " * 40]}).json()["embeddings"]["int8"][1]
    assert max(abs(left - right) for left, right in zip(alone, among, strict=True)) <= 1  # fp32 in other batches


def test_meta(plain: Server) -> None:
    """The version, and as billed what was read; the texts come back."""
    answer = post(plain, PATH, BODY)
    body = answer.json()
    assert body["id"] == answer.headers["x-request-id"]
    assert body["texts"] == GIVEN
    assert body["response_type"] == "embeddings_by_type"
    read = sum(tokens(text) for text in GIVEN)
    assert body["meta"] == {"api_version": {"version": "2"}, "billed_units": {"input_tokens": read}}
    assert answer.headers["x-compute-tokens"] == str(read)


def test_version_one(plain: Server) -> None:
    """Without types a bare list of vectors, with types the same as version 2."""
    body = post(plain, "/v1/embed", {"model": MODEL, "texts": GIVEN, "truncate": "END"}).json()
    assert body["response_type"] == "embeddings_floats"
    for vector, text in zip(body["embeddings"], GIVEN, strict=True):
        assert vector_faults(vector, text) == []
    typed = post(plain, "/v1/embed", {"texts": GIVEN, "embedding_types": ["int8"]}).json()
    assert typed["response_type"] == "embeddings_by_type"
    assert typed["meta"]["api_version"] == {"version": "1"}
    assert typed["embeddings"] == post(plain, PATH, BODY | {"embedding_types": ["int8"]}).json()["embeddings"]


def test_null_stands_for_absent(plain: Server) -> None:
    """In every optional field, in both versions."""
    assert np.allclose(floats(plain, BODY | NULLS), floats(plain, BODY), atol=1e-6)
    nulls = {name: None for name in NULLS if name in ("images", "embedding_types", "truncate", "input_type")}
    assert post(plain, "/v1/embed", {"texts": GIVEN, "model": None, **nulls}).status == 200


@pytest.mark.parametrize("name", ["classification", "clustering"])
def test_input_types_without_a_prompt_are_named(plain: Server, name: str) -> None:
    """They are served as documents, and a header says that it changed nothing."""
    answer = post(plain, PATH, BODY | {"input_type": name})
    assert answer.headers["x-embedway-ignored"] == "input_type"
    for known in ("search_query", "search_document"):
        assert "x-embedway-ignored" not in post(plain, PATH, BODY | {"input_type": known}).headers


def test_inputs_with_parts(plain: Server) -> None:
    """One text part each is the same as `texts`."""
    inputs = [{"content": [{"type": "text", "text": text}]} for text in GIVEN]
    body = {"model": MODEL, "inputs": inputs, "input_type": "search_query"}
    assert np.allclose(floats(plain, body), floats(plain, BODY), atol=1e-6)
    assert post(plain, PATH, body).json()["texts"] == []


def test_images(pictured: Server) -> None:
    """As data URIs in `images`, as parts of `inputs` beside texts; they count as images too."""
    body = {"model": "clip", "images": [data_uri("wide"), data_uri("large", "image/jpeg")], "input_type": "image"}
    answer = post(pictured, PATH, body)
    assert answer.json()["meta"]["billed_units"]["images"] == 2
    both = np.array(answer.json()["embeddings"]["float"])
    parts = [{"type": "image_url", "image_url": {"url": data_uri("wide")}}, {"type": "text", "text": "a red disc"}]
    mixed = floats(pictured, {"model": "clip", "inputs": [{"content": [part]} for part in parts]})
    assert np.allclose(mixed[0], both[0], atol=1e-5)
    assert not np.allclose(mixed[1], both[1], atol=1e-2)
    assert np.linalg.norm(both[0] - both[1]) > 0.01
    one = floats(pictured, {"model": "clip", "images": [data_uri("wide")]}, "/v2/embed/")
    assert np.allclose(one[0], both[0], atol=1e-5)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"texts": []}, "texts"),
    ({"texts": None}, "texts"),
    ({"texts": ["a", ""]}, "texts[1]"),
    ({"texts": ["a", 5]}, "texts[1]"),
    ({"texts": "a"}, "texts"),
    ({"texts": ["a"] * 2049}, "texts"),
    ({"images": ["data:,"]}, "texts"),
    ({"texts": None, "images": ["data:image/png;base64,AAAA"]}, "images[0]"),
    ({"texts": None, "images": ["?"]}, "images[0]"),
    ({"texts": None, "images": ["http://127.0.0.1/a.png"]}, "images[0]"),
    ({"texts": None, "inputs": [{"content": []}]}, "inputs[0]"),
    ({"texts": None, "inputs": [{"content": [{"type": "text"}]}]}, "inputs[0].content[0]"),
    ({"texts": None, "inputs": [{"content": [{"type": "text", "text": "a"}] * 2}]}, "inputs[0]"),
    ({"texts": None, "inputs": [{"content": [{"type": "sound", "text": "a"}]}]}, "inputs[0].content[0].type"),
    ({"input_type": "query"}, "input_type"),
    ({"input_type": "image"}, "input_type"),
    ({"embedding_types": ["float", "int4"]}, "embedding_types[1]"),
    ({"embedding_types": "float"}, "embedding_types"),
    ({"output_dimension": 128}, "output_dimension"),
    ({"truncate": "MIDDLE"}, "truncate"),
]


@pytest.mark.parametrize(("field", "named"), REFUSED, ids=lambda one: str(one)[:50])
def test_refusals(plain: Server, field: dict[str, Any], named: str) -> None:
    """In Cohere's words, with the path of what is wrong."""
    assert named in cohere_refusal(post(plain, PATH, {**BODY, **field}), 400).message


@pytest.mark.parametrize("path", [PATH, "/v1/embed"])
def test_truncate(plain: Server, path: str) -> None:
    """Long texts are cut at the end that is named, unless that is forbidden; short ones are served in any case."""
    long = {"texts": ["word " * 300 + "end"], "model": MODEL}
    cut = {}
    for how in ("START", "END", None):
        answer = post(plain, path, long | {"truncate": how, "embedding_types": ["float"]})
        assert answer.headers["x-embedway-truncated"] == "1"
        cut[how] = answer.json()["embeddings"]["float"][0]
    assert cut["END"] == cut[None] != cut["START"]
    assert "256 tokens" in cohere_refusal(post(plain, path, long | {"truncate": "NONE"}), 400).message
    assert post(plain, path, {"texts": GIVEN, "truncate": "NONE"}).status == 200


def test_what_has_no_effect_is_named(plain: Server) -> None:
    """In a header."""
    answer = post(plain, PATH, BODY | {"max_tokens": 100, "input_type": "clustering"})
    assert answer.headers["x-embedway-ignored"] == "input_type, max_tokens"


def test_other_refusals(plain: Server, keyed: Server) -> None:
    """An unknown model, another method, a wrong key: Cohere's words in both versions."""
    for path in (PATH, "/v1/embed"):
        body = {"texts": ["a"], "model": "embed-v9"}
        assert "embed-v9" in cohere_refusal(post(plain, path, body), 404).message
        cohere_refusal(get(plain, path), 405)
        cohere_refusal(post(keyed, path, body), 401)
        assert post(keyed, path, {"texts": ["a"], "model": MODEL}, key=KEY).status == 200


def test_a_shorter_vector(ranking: Server) -> None:
    """`output_dimension` that is the model's own is served; a model without vectors says so, naming the text."""
    assert floats(ranking, {"model": "multi", "texts": TEXTS[:1], "output_dimension": 48}).shape == (1, 48)
    assert np.allclose(
        floats(ranking, {"model": "multi", "texts": list(TEXTS[:3])}), case.answers("bge-m3")["dense"][:3], atol=1e-4
    )
    assert "texts[0]" in cohere_refusal(post(ranking, PATH, {"model": "scorer", "texts": ["a"]}), 400).message
