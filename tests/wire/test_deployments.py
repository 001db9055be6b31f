"""Custom deployments: Bearer and `Token`, no envelope around the answer, the vendor's form for errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server import Server

from .configs import DOCUMENT_TOKEN, TOKEN
from .errors import vendor_refusal
from .exchange import KEY, Answer, post, send
from .golden import vector_faults

PATHS = ["/v3/openapi/deployments/dep-abc123/predict", "/v3/openapi/dep-abc123"]
everywhere = pytest.mark.parametrize("path", PATHS)


def predict(server: Server, path: str, body: Any, token: str | None = TOKEN, key: str | None = KEY) -> Answer:
    """Call a deployment with both secrets."""
    return post(server, path, body, key=key, headers={"Token": token} if token else {})


@everywhere
@pytest.mark.parametrize("value", ["hi", ["hi"]])
def test_answer(keyed: Server, path: str, value: Any) -> None:
    """The answer is `embeddings` and nothing else; a row is index, embedding."""
    answer = predict(keyed, path, {"input": value, "input_type": "document"})
    assert answer.status == 200
    body = answer.json()
    assert list(body) == ["embeddings"]
    assert [list(row) for row in body["embeddings"]] == [["index", "embedding"]]
    assert body["embeddings"][0]["index"] == 0
    assert vector_faults(body["embeddings"][0]["embedding"], "hi") == []


@everywhere
def test_16_texts(keyed: Server, path: str) -> None:
    """16 texts are within the limit, and come back in order."""
    rows = predict(keyed, path, {"input": ["a", "b"] * 8}).json()["embeddings"]
    assert [row["index"] for row in rows] == list(range(16))
    assert vector_faults(rows[15]["embedding"], "b") == []


@everywhere
@pytest.mark.parametrize("dimension", [1, 256, 384])
def test_dimension_is_ignored_below_the_base(keyed: Server, path: str, dimension: int) -> None:
    """The model was not trained for shorter vectors: `dimension` has no effect, and a header says so."""
    answer = predict(keyed, path, {"input": "hi", "dimension": dimension})
    assert answer.status == 200
    assert vector_faults(answer.json()["embeddings"][0]["embedding"], "hi") == []
    if dimension < 384:
        assert answer.headers["x-embedway-ignored"] == "dimension"


@everywhere
def test_nothing_ignored_says_nothing(keyed: Server, path: str) -> None:
    """Without `dimension`, or with null, there is no such header."""
    for more in ({}, {"dimension": None}):
        assert "x-embedway-ignored" not in predict(keyed, path, {"input": "hi", **more}).headers


@everywhere
@pytest.mark.parametrize("dimension", [385, 567, 10**12])
def test_dimension_above_the_base(keyed: Server, path: str, dimension: int) -> None:
    """More dimensions than the base model has are 400, and the message names its own."""
    refusal = vendor_refusal(predict(keyed, path, {"input": "hi", "dimension": dimension}), 400)
    assert refusal.code == "InvalidParameter"
    assert "384" in refusal.message


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a"] * 17},
        {"input": 1},
        {"input": [1]},
        {"input": "a", "input_type": "xxx"},
        {"input": "a", "dimension": "many"},
        {"input": "a", "dimension": 1.5},
        {"input": "a", "dimension": -1},
        {"type": "text", "data": ["a"]},
        {"query": "a", "docs": ["b"]},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_bad_field(keyed: Server, path: str, body: dict[str, Any]) -> None:
    """A wrong field, or the body of another kind of deployment, is 400 `InvalidParameter`."""
    assert vendor_refusal(predict(keyed, path, body), 400).code == "InvalidParameter"


@everywhere
def test_broken_body(keyed: Server, path: str) -> None:
    """Broken JSON is 400, worded as the vendor's."""
    answer = send(keyed, "POST", path, b"{", key=KEY, headers={"Token": TOKEN})
    assert vendor_refusal(answer, 400).message.startswith("JSON parse error:")


@everywhere
@pytest.mark.parametrize(
    ("key", "token"),
    [(None, TOKEN), ("wrong", TOKEN), (KEY, None), (KEY, "wrong"), (KEY, KEY), (TOKEN, TOKEN), (KEY, DOCUMENT_TOKEN)],
)
def test_both_secrets_are_needed(keyed: Server, path: str, key: str | None, token: str | None) -> None:
    """The key without the token, the token without the key, and another deployment's token are refused."""
    answer = predict(keyed, path, {"input": "hi"}, token=token, key=key)
    vendor_refusal(answer, (401, 403))


@pytest.mark.parametrize("path", ["/v3/openapi/deployments/xxxxxx/predict", "/v3/openapi/xxxxxx"])
def test_token_is_needed_without_keys_too(stand_in: Server, path: str) -> None:
    """A server without keys still asks for a deployment's token; its settings may hold only the token's SHA-256."""
    vendor_refusal(predict(stand_in, path, {"input": "hi"}, token="wrong", key=None), (401, 403))
    assert predict(stand_in, path, {"input": "hi"}, token=DOCUMENT_TOKEN, key=None).status == 200


@pytest.mark.parametrize("path", ["/v3/openapi/deployments/no-such/predict", "/v3/openapi/no-such"])
def test_unknown_deployment(keyed: Server, path: str) -> None:
    """An unknown deployment is refused in the vendor's form, as an unknown service is."""
    assert vendor_refusal(predict(keyed, path, {"input": "hi"}), 400).code == "ServiceIdNotExist"


@everywhere
def test_wrong_method(keyed: Server, path: str) -> None:
    """Another method is 405 in the vendor's form."""
    vendor_refusal(send(keyed, "GET", path, key=KEY, headers={"Token": TOKEN}), 405)


@everywhere
def test_trailing_slash(keyed: Server, path: str) -> None:
    """A trailing slash is the same route."""
    assert predict(keyed, path + "/", {"input": "hi"}).status == 200
