"""Which quotas a call falls under, and what its body counts as."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.access.quota import BYTES_A_TOKEN, IMAGE_TOKENS, Rules, default_quotas, estimate_tokens
from embedway.configuration import load_settings
from embedway.errors import SettingsError
from embedway.settings import Quota, hash_secret
from embedway.types import Caller

DIGEST = hash_secret("OS-key")
KEY = Caller(flow=DIGEST[:16])
STORED = Caller(flow="key-0123456789ab", digest=hash_secret("OS-stored"))
SIGNED = Caller(flow="LTAIabc", namespace="shop")
ANYONE = Caller()


def names(rules: Rules, caller: Caller, asked: str | None = None, model: str | None = None) -> list[str]:
    """Under what a call is counted."""
    return [one.name for one in (*rules.general(caller), *rules.of_service(caller, asked, model))]


@pytest.mark.parametrize(
    ("selector", "covered"),
    [
        (None, [KEY, STORED, SIGNED, ANYONE]),
        ("*", [KEY, STORED, SIGNED, ANYONE]),
        (DIGEST, [KEY]),
        (DIGEST[:8], [KEY]),
        (DIGEST[:7], []),
        (STORED.digest, [STORED]),
        (STORED.digest[:8], [STORED]),
        (STORED.flow, [STORED]),
        (STORED.flow[:-1], []),
        ("LTAIabc", [SIGNED]),
        ("LTAIab", []),
        ("anonymous", [ANYONE]),
    ],
)
def test_keys(selector: str | None, covered: list[Caller]) -> None:
    """An API key by how its digest begins, a stored one and an access key by the whole id, who shows none as
    anonymous.
    """
    rules = Rules([Quota(key=selector, requests_per_s=1)])
    assert [caller for caller in (KEY, STORED, SIGNED, ANYONE) if rules.general(caller)] == covered


def test_a_star_counts_each_apart_and_nothing_counts_all_together() -> None:
    """Of keys and of workspaces."""
    callers = (KEY, SIGNED, ANYONE)
    together = Rules([Quota(requests_per_s=1)])
    assert len({names(together, one)[0] for one in callers}) == 1
    for apart in (Quota(key="*", requests_per_s=1), Quota(key="*", workspace="*", requests_per_s=1)):
        assert len({names(Rules([apart]), one)[0] for one in callers}) == 3
    spaces = Rules([Quota(workspace="*", requests_per_s=1)])
    assert names(spaces, KEY) == names(spaces, ANYONE) != names(spaces, SIGNED)


def test_all_that_fit_apply() -> None:
    """Each with a count of its own."""
    rules = Rules(
        [
            Quota(requests_per_s=1),
            Quota(key="*", requests_per_s=1),
            Quota(workspace="shop", requests_per_s=1),
            Quota(workspace="other", requests_per_s=1),
            Quota(service="m", requests_per_s=1),
            Quota(service="*", requests_per_s=1),
            Quota(key="LTAIabc", workspace="shop", service="alias", requests_per_s=1),
        ]
    )
    found = names(rules, SIGNED, "alias", "m")
    assert len(found) == len(set(found)) == 6
    assert len(names(rules, ANYONE, "unknown", None)) == 2


def test_no_two_callers_share_a_name_by_their_spelling() -> None:
    """Workspaces are named by those who call."""
    rules = Rules([Quota(key="*", workspace="*", service="*", requests_per_s=1)])
    made_up = Caller(flow="a", namespace="b,service=*:c")
    assert names(rules, made_up, "d", "d") != names(rules, Caller(flow="a", namespace="b"), "c,service=*:d", "c")


def test_long_names_are_not_kept() -> None:
    """A workspace of a megabyte costs what any other does, and is still a workspace of its own."""
    rules = Rules([Quota(workspace="*", requests_per_s=1)])
    (one,), (other,) = (names(rules, Caller(namespace="w" * 10**6 + end)) for end in "ab")
    assert one != other
    assert len(one) < 200


def test_defaults_are_the_documents_and_give_way() -> None:
    """For the very id, for each key, unless a quota limits the requests of that id."""
    rules = Rules([], default_quotas())
    (bound,) = rules.of_service(KEY, "ops-text-embedding-001", "m")
    assert bound.requests
    assert (bound.requests.limit, bound.requests.period_ms) == (50, 1000)
    assert names(rules, KEY, "ops-text-embedding-001") != names(rules, SIGNED, "ops-text-embedding-001")
    assert names(rules, KEY, "ops-text-embedding-002", "ops-text-embedding-001") == []
    own = Rules([Quota(service="ops-text-embedding-001", requests_per_s=9)], default_quotas())
    assert [one.quota.requests_per_s for one in own.of_service(KEY, "ops-text-embedding-001", None)] == [9]
    tokens = Rules([Quota(service="ops-text-embedding-001", tokens_per_minute=9)], default_quotas())
    assert len(tokens.of_service(KEY, "ops-text-embedding-001", None)) == 2


@given(texts=st.lists(st.text(max_size=200), min_size=1, max_size=20))
def test_texts_count_by_their_bytes(texts: list[str]) -> None:
    """One for four bytes, at least one."""
    body = json.dumps({"input": texts}, ensure_ascii=False).encode()
    assert estimate_tokens(body) == max(1, len(body) // BYTES_A_TOKEN)


@pytest.mark.parametrize("lead", ["", "data:image/png;base64,"])
@pytest.mark.parametrize("size", [2_000, 300_000])
def test_images_count_as_such(lead: str, size: int) -> None:
    """However large: what they cost does not hang on their bytes."""
    image = lead + base64.b64encode(random.Random(1).randbytes(size)).decode()
    body = json.dumps({"model": "m", "input": [{"image": image}, {"text": "word " * 1000}, {"image": image}]}).encode()
    assert estimate_tokens(body) == (len(body) - 2 * len(image)) // BYTES_A_TOKEN + 2 * IMAGE_TOKENS


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"key": "*"}, "needs requests_per_s"),
        ({"key": "", "requests_per_s": 1}, "empty selector"),
        ({"requests_per_s": 0}, ">= 1"),
        ({"tokens_per_minute": -5}, ">= 1"),
        ({"requests": 1}, "unknown field"),
    ],
)
def test_what_is_no_quota_is_refused(table: dict[str, object], words: str) -> None:
    """At the start, in one sentence."""
    with pytest.raises(SettingsError, match=words):
        load_settings({"quota": [table]})


def test_two_tables_for_the_same_are_refused() -> None:
    """Which of them holds would be anyone's guess."""
    with pytest.raises(SettingsError, match="the same key, workspace and service"):
        load_settings({"quota": [{"key": "*", "concurrent": 1}, {"key": "*", "requests_per_s": 1}]})


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://", "memcached://localhost"])
def test_other_urls_are_refused(url: str) -> None:
    """Only Redis's protocol is spoken."""
    with pytest.raises(SettingsError, match="quota_url must begin with"):
        load_settings({"quota_url": url})
