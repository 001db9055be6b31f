"""Jina's fields on the OpenAI route: tasks, types of numbers, inputs as objects, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests.server import Server, serving
from tests.tiny.pictures import PICTURES

from .configs import MODEL
from .errors import openai_refusal
from .exchange import post
from .golden import decode, vector_faults

PATH = "/v1/embeddings"
TEXT = "I believe the meaning of life is"
BODY = {"model": MODEL, "input": [TEXT]}
NULLS = dict.fromkeys(
    ["task", "embedding_type", "normalized", "late_chunking", "truncate", "outputs", "encoding_format"]
)


def embedding(server: Server, **more: Any) -> Any:
    """The first row's `embedding`."""
    answer = post(server, PATH, BODY | more)
    assert answer.status == 200, answer.body[:300]
    return answer.json()["data"][0]["embedding"]


def test_null_stands_for_absent(plain: Server) -> None:
    """For each of the fields: the answer is the same to the byte."""
    plainly, nulls = post(plain, PATH, BODY), post(plain, PATH, BODY | NULLS)
    assert nulls.body == plainly.body
    assert nulls.headers["x-embedway-ignored"] is None


@pytest.mark.parametrize("kind", ["float", "base64", "int8", "uint8", "binary", "ubinary"])
def test_one_type(plain: Server, kind: str) -> None:
    """`embedding` holds it; with `encoding_format: base64` the bytes of the same numbers."""
    vector = np.array(embedding(plain))
    found = embedding(plain, embedding_type=kind)
    packed = embedding(plain, embedding_type=kind, encoding_format="base64")
    if kind in ("float", "base64"):
        assert vector_faults(decode(found) if kind == "base64" else found, TEXT) == []
        assert vector_faults(decode(packed), TEXT) == []
        return
    width = {"int8": np.int8, "uint8": np.uint8, "binary": np.int8, "ubinary": np.uint8}[kind]
    assert np.frombuffer(base64.b64decode(packed), dtype=width).tolist() == found
    if kind == "ubinary":
        assert found == np.packbits(vector > 0).tolist()


def test_several_types(plain: Server) -> None:
    """Each row's `embedding` is an object with a key for each, a list of one too."""
    found = embedding(plain, embedding_type=["ubinary", "float"])
    assert list(found) == ["ubinary", "float"]
    assert vector_faults(found["float"], TEXT) == []
    assert found["ubinary"] == embedding(plain, embedding_type="ubinary")
    assert list(embedding(plain, embedding_type=["int8"])) == ["int8"]
    assert (
        vector_faults(decode(embedding(plain, embedding_type=["float"], encoding_format="base64")["float"]), TEXT) == []
    )


@pytest.mark.parametrize("task", ["text-matching", "classification", "separation", "clustering"])
def test_a_task_without_a_side_is_named(plain: Server, task: str) -> None:
    """It has no prompt of its own."""
    assert post(plain, PATH, BODY | {"task": task}).headers["x-embedway-ignored"] == "task"


def test_a_task_is_a_role(tmp_path: Any) -> None:
    """A query gets the model's prompt for queries, a passage none, as with `input_type`."""
    config = f'[[model]]\nname = "m"\nsource = "{MODEL}"\ndtype = "fp32"\nquery_prompt = "query: "\n'
    with serving(tmp_path, config=config) as server:

        def ask(**more: str) -> Any:
            answer = post(server, PATH, {"input": "hi", **more})
            assert "x-embedway-ignored" not in answer.headers
            return answer.json()["data"][0]["embedding"]

        query, passage = ask(input_type="query"), ask(input_type="document")
        assert not np.allclose(query, passage, atol=1e-2)
        assert vector_faults(passage, "hi") == []
        assert np.allclose(ask(task="retrieval.query"), query, atol=1e-6)
        assert np.allclose(ask(task="code.query"), query, atol=1e-6)
        assert np.allclose(ask(task="retrieval.passage"), passage, atol=1e-6)
        prompted = post(server, "/v2/embed", {"texts": ["hi"], "input_type": "search_query"}).json()
        assert np.allclose(prompted["embeddings"]["float"][0], query, atol=1e-6)


def test_inputs_as_objects(plain: Server) -> None:
    """`{"text": …}` is the text, in a list, beside plain ones, and alone."""
    for given in ([{"text": TEXT}], {"text": TEXT}, [{"text": TEXT}, "hi"], [TEXT, {"text": "hi", "image": None}]):
        answer = post(plain, PATH, BODY | {"input": given})
        assert vector_faults(answer.json()["data"][0]["embedding"], TEXT) == []


def test_images_beside_texts(pictured: Server) -> None:
    """As a data URI or in base64, in the order of the inputs."""
    packed = base64.b64encode(PICTURES["wide"]).decode()
    given = ["a red disc", {"image": packed}, {"text": "a red disc"}, {"image": f"data:image/png;base64,{packed}"}]
    answer = post(pictured, PATH, {"model": "clip", "input": given})
    rows = np.array([row["embedding"] for row in answer.json()["data"]])
    assert np.allclose(rows[0], rows[2], atol=1e-5)
    assert np.allclose(rows[1], rows[3], atol=1e-5)
    assert not np.allclose(rows[0], rows[1], atol=1e-2)


def test_normalized(ranking: Server, plain: Server) -> None:
    """Vectors of length 1 where it is asked for."""
    assert np.linalg.norm(embedding(ranking, model="multi", normalized=True)) == pytest.approx(1, abs=1e-5)
    assert vector_faults(embedding(plain, normalized=True), TEXT) == []


def test_truncate(plain: Server) -> None:
    """Cut unless the caller forbids it; then 400."""
    long = {"input": "word " * 300}
    assert post(plain, PATH, BODY | long | {"truncate": True}).headers["x-embedway-truncated"] == "1"
    assert "256 tokens" in openai_refusal(post(plain, PATH, BODY | long | {"truncate": False}), 400).message
    assert post(plain, PATH, BODY | {"truncate": False}).status == 200
    end, start = (
        embedding(plain, input="word " * 300 + "end", truncation_direction=side) for side in ("right", "left")
    )
    assert not np.allclose(end, start, atol=1e-3)


def test_infinitys_images(pictured: Server) -> None:
    """`modality` says that strings are images; text is the default, other kinds are refused."""
    packed = base64.b64encode(PICTURES["wide"]).decode()
    uri = f"data:image/png;base64,{packed}"
    (said,) = post(pictured, PATH, {"model": "clip", "modality": "image", "input": uri}).json()["data"]
    (told,) = post(pictured, PATH, {"model": "clip", "input": [{"image": packed}]}).json()["data"]
    assert np.allclose(said["embedding"], told["embedding"], atol=1e-6)
    body = {"model": "clip", "modality": "audio", "input": "a"}
    assert openai_refusal(post(pictured, PATH, body), 400).param == "modality"


def test_images_that_are_not_even_looked_at(plain: Server, pictured: Server) -> None:
    """For a model of texts, and more than a request may hold."""
    image = {"image": "http://169.254.169.254/"}
    assert "reads texts only" in openai_refusal(post(plain, PATH, {"model": MODEL, "input": [image]}), 400).message
    many = {"model": "clip", "input": [image] * 33}
    assert "32 images, not 33" in openai_refusal(post(pictured, PATH, many), 400).message


def test_vllms_fields_that_have_no_effect_are_named(plain: Server) -> None:
    """Except where they ask for what is done anyway."""
    body = BODY | {"truncate_prompt_tokens": 3, "add_special_tokens": False, "priority": 1}
    ignored = post(plain, PATH, body).headers["x-embedway-ignored"]
    assert ignored == "truncate_prompt_tokens, add_special_tokens, priority"
    usual = BODY | {"truncate_prompt_tokens": -1, "add_special_tokens": True, "priority": 0}
    assert "x-embedway-ignored" not in post(plain, PATH, usual).headers


def test_prompts_and_instructions(plain: Server) -> None:
    """A prompt by a name that the model does not have, or an instruction that it cannot hear, is refused."""
    assert "prompt" in openai_refusal(post(plain, PATH, BODY | {"prompt_name": "no such"}), 400).message
    assert "takes no instruction" in openai_refusal(post(plain, PATH, BODY | {"instruction": "Do it."}), 400).message


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ({"late_chunking": True}, "late_chunking"),
        ({"task": "retrieval"}, "task"),
        ({"task": "retrieval.other"}, "task"),
        ({"task": 5}, "task"),
        ({"embedding_type": "int4"}, "embedding_type"),
        ({"embedding_type": []}, "embedding_type"),
        ({"embedding_type": ["float", 1]}, "embedding_type[1]"),
        ({"normalized": "yes"}, "normalized"),
        ({"input": [{"text": "a"}, {}]}, "input[1]"),
        ({"input": [{"text": "a", "image": "b"}]}, "input[0]"),
        ({"input": [{"text": ""}]}, "input[0]"),
        ({"input": ["a", {"image": "?"}]}, "input[1].image"),
        ({"input": [{"image": "http://127.0.0.1/a.png"}]}, "input[0].image"),
        ({"input": [{"text": "a"}, ""]}, "input[1]"),
        ({"input": [{"text": "a"}, [1, 2]]}, "input"),
        ({"input": [{"text": "a"}] * 2049}, "input"),
        ({"outputs": []}, "outputs"),
        ({"outputs": ["dense", "colbert"]}, "outputs[1]"),
    ],
    ids=lambda one: str(one)[:50],
)
def test_refusals(plain: Server, field: dict[str, Any], named: str) -> None:
    """400, and `param` names the field."""
    assert openai_refusal(post(plain, PATH, BODY | field), 400).param == named


def test_an_image_for_a_model_of_texts(plain: Server) -> None:
    """400 with the place of the image."""
    packed = base64.b64encode(PICTURES["wide"]).decode()
    refusal = openai_refusal(post(plain, PATH, BODY | {"input": ["a", {"image": packed}]}), 400)
    assert refusal.param == "input[1]"
    assert "images" in refusal.message
