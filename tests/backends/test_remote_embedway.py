"""A second Embedway process is the remote service: what it answers itself is what the remote backend gives."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from embedway.backends.remote import RemoteBackend
from embedway.types import Image, Output, Outputs, Phase, RemoteSpec, Text
from tests.server import Server, serving
from tests.tiny import case
from tests.tiny.pictures import PICTURES
from tests.wire.exchange import KEY, post

from .services import ask, registered, said

CONFIG = """
[[model]]
name = "minilm"
source = "all-MiniLM-L6-v2"
dtype = "fp32"

[[model]]
name = "m3"
source = "{folder}/bge-m3"
dtype = "fp32"

[[model]]
name = "clip"
source = "{folder}/clip"
"""
PLATFORM = "/v3/openapi/workspaces/default"
TEXTS = ("A text.", 'With "quotes" and \\ and %{input}.', "科学技术是第一生产力", "line\nbreak\t\u2028 é", "x" * 3000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("remote")
    for name in ("bge-m3", "clip"):
        (folder / name).mkdir()
        case.load(name).write(folder / name)
    with serving(folder, "--api-key", KEY, config=CONFIG.format(folder=folder)) as running:
        yield running


def opened(server: Server, kind: Any, path: str, body: str, response: str, dimensions: int = 0) -> RemoteBackend:
    definition = RemoteSpec(
        kind,
        server.url + path,
        body,
        response,
        headers={"Authorization": f"Bearer {KEY}\n"},
        build=Phase({"input_type": "document"}),
        search=Phase({"input_type": "query"}),
        dimensions=dimensions,
        private=True,
    )
    return RemoteBackend(registered(definition))


def dense(outcomes: Any) -> np.ndarray[Any, Any]:
    assert all(isinstance(one, Outputs) for one in outcomes), outcomes
    return np.array([one.dense for one in outcomes])


def test_the_platforms_route(server: Server) -> None:
    """The vendor's sample of a definition, in batches; tokens are those that the service counts."""
    path = f"{PLATFORM}/text-embedding/minilm"
    body = r"{\"input\": [\"%{input}\"], \"input_type\": \"%{input_type}\"}" + "\n"
    backend = opened(server, "text_embedding", path, body, "$.result.embeddings[*].embedding\n", 384)
    outcomes = ask(backend, *[Text(text, "query") for text in TEXTS], *TEXTS)
    backend.close()
    given = post(server, path, {"input": TEXTS, "input_type": "query"}, key=KEY).json()
    wanted = [row["embedding"] for row in given["result"]["embeddings"]]
    assert np.array_equal(dense(outcomes), np.array([*wanted, *wanted], dtype=np.float32))
    used = [one.used_tokens for one in outcomes if isinstance(one, Outputs)]
    assert sum(one or 0 for one in used[:5]) == given["usage"]["token_count"]


def test_openais_route(server: Server) -> None:
    """With another template and path; the vectors are the same."""
    backend = opened(
        server, "text_embedding", "/v1/embeddings", '{"model": "minilm", "input": %{input}}', "$.data[*].embedding", 384
    )
    outcomes = ask(backend, *TEXTS)
    backend.close()
    given = post(server, "/v1/embeddings", {"model": "minilm", "input": TEXTS}, key=KEY).json()
    assert np.array_equal(dense(outcomes), np.array([row["embedding"] for row in given["data"]], dtype=np.float32))
    assert sum(one.used_tokens or 0 for one in outcomes if isinstance(one, Outputs)) == given["usage"]["total_tokens"]


def test_the_sparse_route(server: Server) -> None:
    """Terms as the service weighs them, and in its order."""
    path = f"{PLATFORM}/text-sparse-embedding/m3"
    backend = opened(
        server, "text_sparse_embedding", path, '{"input": ["%{input}"]}', "$.result.sparse_embeddings[*].embedding"
    )
    outcomes = ask(backend, *[Text(text, outputs=Output.SPARSE) for text in TEXTS[:4]])
    backend.close()
    given = post(server, path, {"input": TEXTS[:4]}, key=KEY).json()["result"]["sparse_embeddings"]
    for outcome, row in zip(outcomes, given, strict=True):
        assert isinstance(outcome, Outputs)
        assert outcome.sparse
        assert outcome.sparse.order is not None
        pairs = zip(outcome.sparse.ids[outcome.sparse.order], outcome.sparse.weights[outcome.sparse.order], strict=True)
        assert [(int(i), float(w)) for i, w in pairs] == [
            (one["token_id"], float(np.float32(one["weight"]))) for one in row["embedding"]
        ]


@pytest.mark.parametrize(
    ("path", "body", "response"),
    [
        (
            f"{PLATFORM}/multi-modal-embedding/clip",
            '{"input": [{"image": "%{input}"}]}',
            "$.result.embeddings[*].embedding",
        ),
        (
            "/v1/embeddings",
            '{"model": "clip", "modality": "image", "input": ["data:image/png;base64,%{input}"]}',
            "$.data[*].embedding",
        ),
    ],
)
def test_images(server: Server, path: str, body: str, response: str) -> None:
    """By the platform's route in bare base64, by Infinity's as a data URI."""
    files = [PICTURES["wide"], PICTURES["large"]]
    inputs = [{"image": base64.b64encode(one).decode()} for one in files]
    given = post(server, f"{PLATFORM}/multi-modal-embedding/clip", {"input": inputs}, key=KEY).json()
    wanted = np.array([row["embedding"] for row in given["result"]["embeddings"]], dtype=np.float32)
    backend = opened(server, "image_embedding", path, body, response, wanted.shape[1])
    outcomes = ask(backend, *[Image(one) for one in files])
    backend.close()
    assert np.abs(dense(outcomes) - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (f"{PLATFORM}/text-embedding/nobody", "answers with status 400: service_id is not exist"),
        ("/v1/elsewhere", "answers with status 404: There is no route"),
    ],
)
def test_its_errors_are_passed_on(server: Server, path: str, sentence: str) -> None:
    """In its own words, cut."""
    backend = opened(server, "text_embedding", path, '{"input": ["%{input}"]}', "$.result.embeddings[*].embedding")
    assert sentence in said(ask(backend, "text")[0])
    backend.close()


def test_one_text_that_it_does_not_take_fails_alone(server: Server) -> None:
    """An empty one, among others in one request."""
    path = f"{PLATFORM}/text-embedding/minilm"
    backend = opened(server, "text_embedding", path, '{"input": ["%{input}"]}', "$.result.embeddings[*].embedding", 384)
    outcomes = ask(backend, "a", "b", "", "c")
    backend.close()
    assert "Empty strings are not accepted" in said(outcomes[2])
    assert dense([*outcomes[:2], outcomes[3]]).shape == (3, 384)
