"""AI Search text embedding: what it refuses. Every refusal is request_id, latency 0, code, message."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import vendor_refusal
from .exchange import KEY, announce, get, post, send

FOLDER = "/v3/openapi/workspaces/default/text-embedding/"
PATH = FOLDER + MODEL
STRANGERS = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"Token": KEY}]
BROKEN = [b"", b"{", b'{"input": "a"', b'{"input": "\xff"}', b"{'input': 'a'}", b'{"input": NaN}']
KNOWN = [
    "ops-text-embedding-001",
    "ops-text-embedding-zh-001",
    "ops-text-embedding-en-001",
    "ops-text-embedding-002",
    "ops-gte-sentence-embedding-multilingual-base",
    "ops-qwen3-embedding-0.6b",
]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ""},
        {"input": []},
        {"input": ["a", ""]},
        {"input": ["a"] * 33},
        {"input": None},
        {"input": 1},
        {"input": ["a", 1]},
        {"input": ["a", None]},
        {"input": [["a"]]},
        {"input": {"text": "a"}},
        {"input": "a", "input_type": "xxx"},
        {"input": "a", "input_type": ""},
        {"input": "a", "input_type": "QUERY"},
        {"input": "a", "input_type": 1},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_bad_field(plain: Server, body: dict[str, Any]) -> None:
    """A missing or wrong field is 400 `InvalidParameter`."""
    assert vendor_refusal(post(plain, PATH, body), 400).code == "InvalidParameter"


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"', b"[" * 20_000], ids=lambda body: ascii(body[:24]))
def test_no_object(plain: Server, body: bytes) -> None:
    """A body that is no JSON object is 400 `InvalidParameter`."""
    assert vendor_refusal(send(plain, "POST", PATH, body), 400).code == "InvalidParameter"


@pytest.mark.parametrize("body", BROKEN)
def test_broken_body(plain: Server, body: bytes) -> None:
    """Broken JSON is 400 `InvalidParameter`, and its message begins as the vendor's does."""
    refusal = vendor_refusal(send(plain, "POST", PATH, body), 400)
    assert refusal.code == "InvalidParameter"
    assert refusal.message.startswith("JSON parse error:")


def test_unknown_input_type_is_quoted(plain: Server) -> None:
    """The message of an unknown input_type is the document's, with the value that was sent."""
    refusal = vendor_refusal(post(plain, PATH, {"input": "a", "input_type": "nonsense"}), 400)
    assert refusal.message.startswith("JSON parse error:")
    assert '"nonsense"' in refusal.message


@pytest.mark.parametrize("service", ["no-such-service", "ops-text-embedding-003", "%20"])
def test_unknown_service(plain: Server, service: str) -> None:
    """An unknown service id is 400 `ServiceIdNotExist`, never 404."""
    assert vendor_refusal(post(plain, FOLDER + service, {"input": "a"}), 400).code == "ServiceIdNotExist"


@pytest.mark.parametrize("service", KNOWN)
def test_known_but_not_deployed(plain: Server, service: str) -> None:
    """A service id of the documents that has no model here says so, and how to deploy it."""
    refusal = vendor_refusal(post(plain, FOLDER + service, {"input": "a"}), 400)
    assert refusal.code == "ServiceIdNotExist"
    assert service in refusal.message
    assert "--stand-in" in refusal.message or "--model" in refusal.message or "[[model]]" in refusal.message


@pytest.mark.parametrize(
    "kind", ["text-sparse-embedding", "multi-modal-embedding", "ranker", "multi-modal-reranker", "embedding-tuning"]
)
def test_other_kinds_are_refused_in_the_envelope(plain: Server, kind: str) -> None:
    """A service that this server does not run is refused in the vendor's form."""
    body = {"input": ["a"], "query": "a", "docs": ["a"]}
    vendor_refusal(post(plain, f"/v3/openapi/workspaces/default/{kind}/ops-any", body), (400, 404))


@pytest.mark.parametrize("path", ["/v3/openapi", "/v3/openapi/workspaces/default", "/v3/openapi/a/b/c", FOLDER])
def test_unknown_route(plain: Server, path: str) -> None:
    """A path of this API that is not there is refused in the vendor's form."""
    vendor_refusal(post(plain, path, {"input": "a"}), (400, 404))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_wrong_method(plain: Server, method: str) -> None:
    """Another method is 405 in the vendor's form."""
    answer = send(plain, method, PATH)
    vendor_refusal(answer, 405)
    assert "POST" in answer.headers["allow"]


def test_body_over_8_mb(plain: Server) -> None:
    """A body above 8 MB is refused before it is sent."""
    refusal = vendor_refusal(announce(plain, PATH, 8 * 1024 * 1024 + 1), (400, 413))
    assert refusal.code == "InvalidParameter"


def test_compressed_body(plain: Server) -> None:
    """A compressed body, or one of another content type, is refused in the vendor's form."""
    body = gzip.compress(b'{"input": "a"}')
    vendor_refusal(send(plain, "POST", PATH, body, headers={"Content-Encoding": "gzip"}), (400, 415))
    vendor_refusal(post(plain, PATH, {"input": "a"}, headers={"Content-Type": "text/plain"}), (400, 415))


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
def test_no_key(keyed: Server, headers: dict[str, str]) -> None:
    """Without the right key the answer is 401 `InvalidApiKey`, and it does not repeat what was sent."""
    answer = post(keyed, PATH, {"input": "a"}, headers=headers)
    refusal = vendor_refusal(answer, 401)
    assert refusal.code == "InvalidApiKey"
    assert b"wrong" not in answer.body
    assert KEY.encode() not in answer.body


def test_no_key_is_told_nothing_more(keyed: Server) -> None:
    """Without a key, an unknown service, a broken body and a wrong method look like everything else."""
    assert vendor_refusal(post(keyed, FOLDER + "no-such-service", {"input": "a"}), 401).code == "InvalidApiKey"
    assert vendor_refusal(send(keyed, "POST", PATH, b"{"), 401).code == "InvalidApiKey"


def test_answer_is_in_the_envelope_also_for_an_unread_query(keyed: Server) -> None:
    """GET of an asynchronous task that does not exist is refused in the vendor's form."""
    path = "/v3/openapi/workspaces/default/image-analyze/ops-image-analyze-vlm-001/async/task-status?task_id=x"
    vendor_refusal(get(keyed, path, key=KEY), (400, 404))
