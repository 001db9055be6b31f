"""Quotas on a real server: what is counted for whom, what a refusal says in each dialect, what replies tell of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from tests.access.signing import Signer
from tests.server import Server, serving

from .exchange import Answer, announce, get, post, send
from .golden import faults

SIGNER = Signer("LTAIquota", "secret-of-the-quota-tests", "ACS3-HMAC-SHA256")
KEYS = [
    "OS-openai",
    "OS-platform",
    "OS-compatible",
    "OS-cohere",
    "OS-jina",
    "OS-tei",
    "OS-vllm",
    "OS-infinity",
    "OS-wait",
    "OS-size",
]
FREE, OTHER = "OS-free", "OS-other"
TOKENS = "OS-tokens"
LIMITED = "\n".join(
    f'[[quota]]\nkey = "{sha256(key.encode()).hexdigest()[:12]}"\nrequests_per_s = 1\ntokens_per_minute = 300'
    for key in KEYS
)
CONFIG = f"""
api_key = {[*KEYS, FREE, OTHER, TOKENS]}
admin_key = "OS-admin"
no_default_quotas = true

[[access_key]]
id = "{SIGNER.key_id}"
secret = "{SIGNER.secret}"

[[model]]
name = "m"
source = "fake"
aliases = ["alias", "other", "ops-text-embedding-002"]
stand_in = true

[[deployment]]
id = "dep"
model = "alias"

{LIMITED}

[[quota]]
key = "{sha256(TOKENS.encode()).hexdigest()}"
tokens_per_minute = 300

[[quota]]
key = "{SIGNER.key_id}"
requests_per_s = 1

[[quota]]
key = "{sha256(b"OS-admin").hexdigest()[:8]}"
requests_per_s = 1

[[quota]]
workspace = "small"
concurrent = 1

[[quota]]
key = "*"
workspace = "each"
requests_per_s = 1

[[quota]]
workspace = "whole"
service = "m"
tokens_per_minute = 100

[[quota]]
service = "other"
tokens_per_minute = 100
"""
OPENSEARCH = "/v3/openapi/workspaces/default/text-embedding/m"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose keys, workspaces and services have quotas."""
    with serving(tmp_path_factory.mktemp("limited"), config=CONFIG) as server:
        yield server


def openai(message: str, kind: str, code: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def platform(message: str, kind: str, code: str) -> Any:
    """The platform's code says what the others' types do."""
    lead, own = {
        "insufficient_quota": ("Allocated quota exceeded, please increase your quota limit.", "AllocationQuota"),
        "rate_limit_exceeded": ("Requests rate limit exceeded, please try again later.", "RateQuota"),
    }[code]
    return {"request_id": "<text>", "latency": 0, "code": f"Throttling.{own}", "message": f"{lead} {message}"}


def cohere(message: str, kind: str, code: str) -> Any:
    return {"id": "<text>", "message": message}


def tei(message: str, kind: str, code: str) -> Any:
    return {"error": message, "error_type": "Overloaded"}


def infinity(message: str, kind: str, code: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": 429}}


DIALECTS = [
    ("OS-openai", "/v1/embeddings", {"model": "m", "input": "TEXT"}, openai),
    ("OS-platform", OPENSEARCH, {"input": "TEXT"}, platform),
    ("OS-compatible", "/compatible-mode/v1/embeddings", {"model": "m", "input": "TEXT"}, platform),
    ("OS-cohere", "/v2/embed", {"model": "m", "texts": ["TEXT"]}, cohere),
    ("OS-jina", "/v1/rerank", {"model": "m", "query": "TEXT", "documents": ["a"]}, openai),
    ("OS-tei", "/embed", {"inputs": "TEXT", "model": "m"}, tei),
    ("OS-vllm", "/score", {"model": "m", "text_1": "TEXT", "text_2": "a"}, openai),
    ("OS-infinity", "/classify", {"model": "m", "input": "TEXT"}, infinity),
]


def with_text(body: dict[str, Any], text: str) -> dict[str, Any]:
    return {key: [text] if value == ["TEXT"] else text if value == "TEXT" else value for key, value in body.items()}


def until_refused(server: Server, path: str, body: Any, key: str, **more: Any) -> Answer:
    """Send until a quota refuses; a machine that is very slow may need more than two tries."""
    for _ in range(20):
        answer = post(server, path, body, key=key, **more)
        if answer.status == 429:
            return answer
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(("key", "path", "body", "worded"), DIALECTS, ids=[row[0] for row in DIALECTS])
def test_refusals_in_each_dialect(limited: Server, key: str, path: str, body: dict[str, Any], worded: Any) -> None:
    """A rate that is used up says when to come back; a request too large for any minute says that waiting is no use."""
    huge = post(limited, path, with_text(body, "a " * 1000), key=key)
    assert huge.status == 429, huge.body
    size = len(post_body(with_text(body, "a " * 1000)))
    said = f"A body of {size} bytes counts as {size // 4} tokens, and the quota is 300 tokens a minute for this key: "
    assert faults(worded(said + "send less at once.", *["insufficient_quota"] * 2), huge.json()) == []
    assert huge.headers["retry-after"] is None
    assert huge.headers["x-should-retry"] == "false"

    answer = until_refused(limited, path, with_text(body, "hi"), key)
    wait_ms = int(answer.headers["retry-after-ms"])
    assert 0 < wait_ms <= 1010
    assert int(answer.headers["retry-after"]) == max(1, -(-wait_ms // 1000))
    said = "The quota of 1 request a second for this key is used up: 0 left, and this request counts 1. "
    expected = worded(f"{said}Try again in {wait_ms / 1000:g} s.", "requests", "rate_limit_exceeded")
    assert faults(expected, answer.json()) == []
    assert answer.headers["x-ratelimit-limit-requests"] == "1"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"


def post_body(body: Any) -> bytes:
    """As `post` sends it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_control_plane_s_refusal(limited: Server) -> None:
    """In its words, with the header that makes its client's exception a ThrottlingException."""
    path = "/openapi/ha3/instances/each/models"
    answers = [get(limited, path, key="OS-admin") for _ in range(3)]
    refused = next(one for one in answers if one.status == 429)
    assert refused.json()["code"] == "Throttling.RateQuota"
    assert refused.headers["x-acs-retry-after"] == refused.headers["retry-after"]


def test_after_retry_after_the_call_passes(limited: Server) -> None:
    """The promise of the header, in milliseconds."""
    body = {"model": "m", "input": "hi"}
    for _ in range(2):
        answer = until_refused(limited, "/v1/embeddings", body, "OS-wait")
        time.sleep(int(answer.headers["retry-after-ms"]) / 1000)
        assert post(limited, "/v1/embeddings", body, key="OS-wait").status == 200


def test_tokens_are_settled(limited: Server) -> None:
    """What is reserved by bytes becomes what was consumed; of an error nothing stays; tokenizing is free."""
    text = "a" * 100
    long = post(limited, "/v1/embeddings", {"model": "m", "input": [text]}, key=TOKENS)
    assert long.json()["usage"]["total_tokens"] == 100
    assert long.headers["x-ratelimit-limit-tokens"] == "300"
    assert long.headers["x-ratelimit-remaining-tokens"] == "200"
    wrong = post(limited, "/v1/embeddings", {"model": "m", "input": text, "dimensions": 3}, key=TOKENS)
    assert wrong.status == 400
    assert wrong.headers["x-ratelimit-remaining-tokens"] == "200"
    free = post(limited, "/tokenize", {"inputs": "a " * 2500, "model": "m"}, key=TOKENS)
    assert free.status == 200
    more = post(limited, "/v1/embeddings", {"model": "m", "input": ["a" * 400]}, key=TOKENS)
    assert more.json()["usage"]["total_tokens"] == 400
    assert more.headers["x-ratelimit-remaining-tokens"] == "0"
    refused = post(limited, "/v1/embeddings", {"model": "m", "input": "a"}, key=TOKENS)
    assert refused.status == 429
    assert refused.json()["error"]["type"] == "tokens"
    assert 50_000 < int(refused.headers["retry-after-ms"]) <= 61_000
    assert refused.headers["x-ratelimit-reset-tokens"].startswith(("1m", "59", "58", "57"))


def test_a_refused_request_counts_in_none(limited: Server) -> None:
    """What its head took is given back when its body is refused: the refusal stays one of size, never of rate."""
    answers = [post(limited, "/v1/embeddings", {"model": "m", "input": "a " * 1000}, key="OS-size") for _ in range(4)]
    assert {one.json()["error"]["code"] for one in answers} == {"insufficient_quota"}
    assert post(limited, "/v1/embeddings", {"model": "m", "input": "hi"}, key="OS-size").status == 200


def test_a_signed_caller_is_counted_by_its_access_key(limited: Server) -> None:
    """After its signature has been checked."""
    body = b'{"input":"hi"}'

    def ask() -> Answer:
        headers = SIGNER.sign("POST", OPENSEARCH, body, f"127.0.0.1:{limited.port}")
        return send(limited, "POST", OPENSEARCH, body, headers=headers)

    answers = [ask() for _ in range(3)]
    assert answers[0].status == 200, answers[0].body
    assert 429 in {one.status for one in answers}


def test_a_refusal_comes_before_the_body(limited: Server) -> None:
    """The server does not wait for what it will not serve."""
    until_refused(limited, OPENSEARCH, {"input": "hi"}, "OS-wait")
    answer = announce(limited, OPENSEARCH, 1000, Authorization="Bearer OS-wait")
    assert answer.status == 429
    assert answer.headers["connection"] == "close"


def test_requests_at_the_same_time(limited: Server) -> None:
    """One more than allowed is refused at once; when an answer is out, the next is served."""
    path = "/v3/openapi/workspaces/small/text-embedding/m"
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(post, limited, path, {"input": "!sleep:1.5"}, key=FREE)
        time.sleep(0.5)
        refused = post(limited, path, {"input": "hi"}, key=FREE)
        assert refused.json()["code"] == "Throttling.RateQuota"
        assert refused.headers["retry-after"] == "1"
        assert post(limited, OPENSEARCH, {"input": "hi"}, key=FREE).status == 200
        assert slow.result().status == 200
    assert [post(limited, path, {"input": "hi"}, key=FREE).status for _ in range(3)] == [200] * 3


def test_a_caller_who_hangs_up_frees_the_place(limited: Server) -> None:
    """A place at the same time is not lost with the connection."""
    path = "/v3/openapi/workspaces/small/text-embedding/m"
    body = b'{"input":"!sleep:0.5"}'
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {FREE}\r\nContent-Length: {len(body)}\r\n\r\n"
    with limited.open_socket(10) as sock:
        sock.sendall(head.encode() + body)
        time.sleep(0.2)
    until = time.monotonic() + 10
    while post(limited, path, {"input": "hi"}, key=FREE).status == 429:
        assert time.monotonic() < until, "the place is still taken"


def test_each_key_has_its_own_count(limited: Server) -> None:
    """`key = "*"`: one key that used up its quota leaves another's untouched."""
    path = "/v3/openapi/workspaces/each/text-embedding/m"
    until_refused(limited, path, {"input": "hi"}, FREE)
    assert post(limited, path, {"input": "hi"}, key=OTHER).status == 200
    assert post(limited, path, {"input": "hi"}, key="OS-admin").headers["x-ratelimit-limit-requests"] == "1"


def test_a_service_is_meant_by_whatever_name(limited: Server) -> None:
    """A quota on a model's own name counts every call that reaches it; one on an alias only calls by that."""
    whole = "/v3/openapi/workspaces/whole/text-embedding"
    left = [
        post(limited, f"{whole}/{name}", {"input": "12345"}, key=FREE).headers["x-ratelimit-remaining-tokens"]
        for name in ("m", "alias", "ops-text-embedding-002")
    ]
    assert left == ["95", "90", "85"]
    by_alias = {"model": "other", "input": "12345"}
    assert post(limited, "/v1/embeddings", by_alias, key=FREE).headers["x-ratelimit-remaining-tokens"] == "95"
    for body in ({"model": "alias", "input": "1"}, {"input": "1"}):
        assert post(limited, "/v1/embeddings", body, key=FREE).headers["x-ratelimit-remaining-tokens"] is None


def test_without_a_quota_nothing_is_said(limited: Server) -> None:
    """No header of limits for a caller who has none."""
    answer = post(limited, OPENSEARCH, {"input": "hi"}, key=FREE)
    assert answer.status == 200
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_refusals_are_counted(limited: Server) -> None:
    """By what was used up."""
    until_refused(limited, OPENSEARCH, {"input": "hi"}, "OS-wait")
    page = get(limited, "/metrics").body.decode()
    assert 'embedway_quota_refusals_total{limit="requests"}' in page
    assert "embedway_quota_local 0.0" in page


def test_documented_rates_are_the_default(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A known id has the requests a second of its document; a quota for it replaces them, a switch drops all."""
    config = """
[[model]]
name = "m"
source = "fake"
aliases = ["ops-text-embedding-001", "ops-text-sparse-embedding-001", "ops-text-embedding-002"]
stand_in = true

[[quota]]
service = "ops-text-sparse-embedding-001"
requests_per_s = 7
"""
    found = {}
    with serving(tmp_path_factory.mktemp("defaults"), config=config) as server:
        for name in ("ops-text-embedding-001", "ops-text-sparse-embedding-001", "ops-text-embedding-002", "m"):
            answer = post(server, "/v1/embeddings", {"model": name, "input": "hi"})
            found[name] = answer.headers["x-ratelimit-limit-requests"]
    assert found == {
        "ops-text-embedding-001": "50",
        "ops-text-sparse-embedding-001": "7",
        "ops-text-embedding-002": None,
        "m": None,
    }
