"""Secrets are shown by their ends, stay what they were when that comes back, and stand in no text."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.catalog.mask import SHORTEST, STARS, conceal, mask, merge, redact, restore, reveal
from embedway.catalog.verbatim import parse, write
from embedway.errors import SecretRequired

TOKEN = "OS-v0abcdefghijk6vvs"
SHOWN = "OS-v0********6vvs"
URL = "https://a.example/v1"


def definition(url: str = URL, header: Any = None, **more: Any) -> dict[str, Any]:
    return parse(json.dumps({"url": url, "request": {"header": header or {}, **more}}))


@pytest.mark.parametrize(
    ("whole", "shown"),
    [
        (f"Bearer {TOKEN}", f"Bearer {SHOWN}"),
        (f"Bearer {TOKEN}\n", f"Bearer {SHOWN}\n"),
        (f"bearer  {TOKEN}", f"bearer  {SHOWN}"),
        (f"Basic {TOKEN}", f"Basic {SHOWN}"),
        (TOKEN, SHOWN),
        (f"  {TOKEN} ", f"  {SHOWN} "),
        (TOKEN[: SHORTEST - 1], STARS),
        ("Bearer short", f"Bearer {STARS}"),
        ("two words that are no scheme", "two w********heme"),
        ("Bearer", STARS),
    ],
)
def test_how_a_secret_is_shown(whole: str, shown: str) -> None:
    """As in the vendor's sample; a short one is all stars; spaces and line breaks around it stay."""
    assert mask(whole) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "Proxy-Authorization",
        "Token",
        "X-Api-Key",
        "x-secret-id",
        "COOKIE",
        "X-Auth",
        "X-Passwd",
    ],
)
def test_headers_that_are_credentials(name: str) -> None:
    """By their names, in any case."""
    shown, secrets = conceal(definition(header={name: TOKEN, "Content-Type": "application/json", "X-Other": TOKEN}))
    assert shown["request"]["header"] == {name: SHOWN, "Content-Type": "application/json", "X-Other": TOKEN}
    assert secrets == {f"/request/header/{name.lower()}": TOKEN}


def test_parameters_that_are_credentials() -> None:
    """In the body's and the URL's parameters of both phases, at any depth; names that only look like it are none."""
    given = {
        "api_key": TOKEN,
        "apiKey": 12345678,
        "token": TOKEN,
        "deep": {"secret": [TOKEN, {"a": TOKEN}]},
        "hf_token": TOKEN,
        "subscription-key": TOKEN,
        "return_token": "yes",
        "tokenizer": "x",
        "keywords": ["x"],
        "max_tokens": 512,
        "input_type": "query",
        "keyboard": "x",
    }
    shown, secrets = conceal(definition(parameters={"build": given}, urlParams={"search": given}))
    for part in (shown["request"]["parameters"]["build"], shown["request"]["urlParams"]["search"]):
        assert part["api_key"] == part["token"] == part["deep"]["secret"][0] == SHOWN
        assert part["deep"]["secret"][1] == {"a": SHOWN}
        assert part["apiKey"] == STARS
        assert part["hf_token"] == part["subscription-key"] == SHOWN
        assert (part["tokenizer"], part["keywords"]) == ("x", ["x"])
        assert (part["return_token"], part["max_tokens"], part["input_type"], part["keyboard"]) == (
            "yes",
            "512",
            "query",
            "x",
        )
    assert secrets["/request/urlParams/search/apiKey"] == "12345678"
    assert len(secrets) == 14


def test_the_query_of_the_url() -> None:
    """Its credentials are masked where they stand, each of several of one name."""
    url = f"{URL}?api_key={TOKEN}&v=1&api_key={TOKEN[::-1]}&api_token={TOKEN}#part"
    shown, secrets = conceal(definition(url))
    assert shown["url"] == f"{URL}?api_key={SHOWN}&v=1&api_key=svv6k********v-SO&api_token={SHOWN}#part"
    assert secrets == {"/url?api_key": TOKEN, "/url?api_key#2": TOKEN[::-1], "/url?api_token": TOKEN}


@given(
    st.dictionaries(st.sampled_from(["Authorization", "Token", "X-Key", "Accept"]), st.text(max_size=30)),
    st.dictionaries(st.sampled_from(["api_key", "a/b~c", "token"]), st.text(max_size=30) | st.integers()),
)
def test_what_is_concealed_can_be_revealed(header: dict[str, str], parameters: dict[str, Any]) -> None:
    """The content is whole again; what is shown comes back as the same secrets; and it is shown the same way again."""
    whole = parse(json.dumps({"url": URL, "request": {"header": header, "parameters": {"build": parameters}}}))
    if STARS in write(whole):
        return
    shown, secrets = conceal(whole)
    assert write(reveal(shown, secrets)) == write(whole)
    assert write(merge(shown, {}, secrets)) == write(whole)
    assert write(merge(shown, shown, secrets)) == write(whole)
    assert write(conceal(reveal(shown, secrets))[0]) == write(shown)


def test_read_modify_write() -> None:
    """What was read is written with another path, and a space less: the secret stays. A new one replaces it."""
    shown, secrets = conceal(definition(f"{URL}?key={TOKEN}", {"Authorization": f"Bearer {TOKEN}\n"}))
    sent = definition(f"https://A.example:443/v2?n=1&key={SHOWN}", {"authorization": f"Bearer {SHOWN}"})
    assert merge(shown, sent, secrets) == definition(
        f"https://A.example:443/v2?n=1&key={TOKEN}", {"authorization": f"Bearer {TOKEN}\n"}
    )
    other = merge(shown, definition(header={"Authorization": "Bearer new"}), secrets)
    assert other["request"] == {"header": {"Authorization": "Bearer new"}}


@pytest.mark.parametrize("url", ["http://a.example/v1", "https://b.example/v1", "https://a.example:8443/v1"])
def test_a_secret_does_not_follow_to_another_origin(url: str) -> None:
    """Neither where it was given as it is shown, nor where it was not given at all."""
    shown, secrets = conceal(definition(header={"Authorization": f"Bearer {TOKEN}"}))
    for sent in ({"url": url}, definition(url, {"Authorization": f"Bearer {SHOWN}"})):
        with pytest.raises(SecretRequired, match="anew") as refused:
            merge(shown, sent, secrets)
        assert refused.value.field == "$.content.request.header.authorization"
    fresh = definition(url, {"Authorization": "Bearer fresh"})
    assert merge(shown, fresh, secrets) == fresh


@pytest.mark.parametrize(
    "header", [{"Authorization": f"Bearer {SHOWN[::-1]}"}, {"Token": f"Bearer {SHOWN}"}, {"Authorization": SHOWN}]
)
def test_a_mask_that_stands_for_nothing(header: dict[str, str]) -> None:
    """Stars of another secret, or of another place, are no secret."""
    _, secrets = conceal(definition(header={"Authorization": f"Bearer {TOKEN}"}))
    with pytest.raises(SecretRequired, match="whole"):
        restore(definition(header=header), secrets, trusted=True)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=4, max_size=40), st.text(max_size=20))
def test_no_secret_stands_in_a_text(secret: str, around: str) -> None:
    """Neither as it is, nor as URLs and JSON write it, nor without its scheme."""
    if len(secret.strip()) < 4 or STARS in secret or secret.strip() in mask(secret):
        return
    for written in (secret.strip(), quote(secret.strip(), safe=""), json.dumps(secret.strip())[1:-1]):
        assert written not in redact(f"{around}<{written}>{around}", [f"Bearer {secret}"]).replace(STARS, "")
