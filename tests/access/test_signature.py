"""Signed requests: those of the vendor's own clients are believed, and nothing that differs from them in any part."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.access import signature as signature_module
from embedway.access.signature import MUST_SIGN, SKEW_S, Claim, Head, fold, is_signed, prove, read_claim
from embedway.errors import SignatureRefused

from .signing import Algorithm, Signer

KEY_ID, SECRET = "EWAKtest", "a-made-up-secret-of-no-account"
CAPTURED: dict[str, Any] = json.loads(Path(__file__).with_name("signed.json").read_text("utf-8"))
BELIEVED = {name: one for name, one in CAPTURED.items() if not name.endswith("of a session")}
SESSIONS = {name: one for name, one in CAPTURED.items() if name.endswith("of a session")}
POST = BELIEVED["acs3 create"]


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it arrives."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    root_path: bytes = b""

    @classmethod
    def of(cls, captured: dict[str, Any]) -> Request:
        path, _, query = captured["target"].partition("?")
        headers = tuple((name.encode(), value.encode()) for name, value in captured["headers"])
        return cls(captured["method"], path.encode(), query.encode(), headers, base64.b64decode(captured["body"]))

    def header(self, name: str) -> str:
        return next(value.decode("latin-1") for key, value in self.headers if key.decode().lower() == name)

    def with_header(self, name: str, value: str | None) -> Request:
        """With another value, or without the header."""
        kept = tuple((key, one) for key, one in self.headers if key.decode().lower() != name)
        added = () if value is None else ((name.encode(), value.encode("latin-1")),)
        return dataclasses.replace(self, headers=(*kept, *added))

    def check(self, secret: str = SECRET, after_s: float = 0.0) -> Claim:
        """Judge it as the server does, so many seconds after it was signed."""
        headers = fold(self.headers)
        signed_s = datetime.fromisoformat("2026-11-21T13:00:00Z").timestamp()
        with contextlib.suppress(ValueError, StopIteration):
            signed_s = datetime.fromisoformat(self.header("x-acs-date")).timestamp()
        claim = read_claim(headers, signed_s + after_s)
        head = Head(self.method, self.path, self.query, headers, self.root_path)
        prove(claim, secret, head, self.body)
        return claim


def refusal(request: Request, **more: Any) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as refused:
        request.check(**more)
    return refused.value


@pytest.mark.parametrize("name", BELIEVED)
def test_what_the_vendors_clients_sign_is_believed(name: str) -> None:
    """With escaped paths, queries, a region, and a URL as Host, which their clients send."""
    assert Request.of(BELIEVED[name]).check().key_id == KEY_ID


@pytest.mark.parametrize("name", BELIEVED)
def test_another_secret_is_refused(name: str) -> None:
    """And the refusal names neither the secret nor the signature that would have been right."""
    error = refusal(Request.of(BELIEVED[name]), secret=SECRET + "x")
    assert (error.reason, error.gateway_status) == ("SignatureDoesNotMatch", 400)
    assert SECRET not in error.message
    assert "=" not in error.message


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_are_refused_clearly(name: str) -> None:
    """Temporary credentials are another product's."""
    assert "STS" in refusal(Request.of(SESSIONS[name])).message


@given(st.sampled_from(sorted(BELIEVED)), st.data())
def test_a_change_anywhere_is_refused(name: str, data: st.DataObject) -> None:
    """Method, path, query, any signed header, body: whatever differs, the signature no longer fits."""
    request = Request.of(BELIEVED[name])
    claim = read_claim(fold(request.headers), request.check().date_s)
    part = data.draw(st.sampled_from(["method", "path", "query", "body", *claim.names]))
    if part in ("path", "query", "body"):
        whole: bytes = getattr(request, part)
        place = data.draw(st.integers(0, len(whole)))
        added = data.draw(st.sampled_from([b"x", b"&a=1", b"%41"]))
        changed = dataclasses.replace(request, **{part: whole[:place] + added + whole[place:]})
    elif part == "method":
        changed = dataclasses.replace(request, method="PATCH")
    else:
        changed = request.with_header(part, request.header(part) + data.draw(st.sampled_from(["x", "0", ","])))
    refusal(changed)


@given(st.sampled_from(sorted(BELIEVED)), st.data())
def test_a_header_that_is_signed_must_be_there_and_the_needed_ones_once(name: str, data: st.DataObject) -> None:
    """Neither lost nor doubled."""
    request = Request.of(BELIEVED[name])
    signed = read_claim(fold(request.headers), request.check().date_s).names
    chosen = data.draw(st.sampled_from(signed))
    assert refusal(request.with_header(chosen, None)).reason == "IncompleteSignature"
    doubled = dataclasses.replace(request, headers=(*request.headers, (chosen.encode(), b"x")))
    assert refusal(doubled).reason == ("IncompleteSignature" if chosen in MUST_SIGN else "SignatureDoesNotMatch")


@given(st.text(st.characters(max_codepoint=255)) | st.text().map(lambda text: f"ACS3-HMAC-SHA256 {text}"[:4000]))
def test_any_authorization_is_refused_or_read(text: str) -> None:
    """No text makes the check fail otherwise than by its own refusal."""
    request = Request.of(POST).with_header("authorization", text.encode("latin-1", "replace").decode("latin-1"))
    refusal(request)


_PART = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(st.sampled_from(["ACS3-HMAC-SHA256", "ACS4-HMAC-SHA256", "ACS9"]), _PART, _PART, st.text("0aG", max_size=65))
def test_nearly_right_authorizations_are_refused(algorithm: str, credential: str, names: str, value: str) -> None:
    """The form right, the parts not."""
    text = f"{algorithm} Credential={credential},SignedHeaders={names},Signature={value}"
    refusal(Request.of(POST).with_header("authorization", text))


@given(st.sampled_from(["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"]), _PART | st.just(""))
def test_malformed_headers_are_refused(name: str, value: str) -> None:
    """Before any secret is looked at."""
    request = Request.of(POST)
    if request.header(name) != value:
        refusal(request.with_header(name, value))


@pytest.mark.parametrize(
    "date", ["2026-13-41T99:99:99Z", "2026-11-21", "2026-11-21T13:45:25+00:00", "0000-01-01T00:00:00Z"]
)
def test_a_date_that_is_none(date: str) -> None:
    """It has a code of its own."""
    assert refusal(Request.of(POST).with_header("x-acs-date", date)).reason == "InvalidTimeStamp.Format"


@pytest.mark.parametrize("after_s", [-SKEW_S - 1, SKEW_S + 1, -86400.0, 86400.0])
def test_clocks_that_are_too_far_apart(after_s: float) -> None:
    """In the past and in the future."""
    assert refusal(Request.of(POST), after_s=after_s).reason == "InvalidTimeStamp.Expired"


@pytest.mark.parametrize("after_s", [-SKEW_S, SKEW_S])
def test_clocks_that_are_just_near_enough(after_s: float) -> None:
    """A quarter of an hour either way."""
    Request.of(POST).check(after_s=after_s)


@pytest.mark.parametrize("algorithm", ["ACS3-HMAC-SHA256", "ACS4-HMAC-SHA256"])
@pytest.mark.parametrize("left_out", ["host", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce"])
def test_what_must_be_signed(algorithm: Algorithm, left_out: str) -> None:
    """A signature that leaves one of them out could be moved to another host, moment or body."""
    names = [one for one in ("host", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce") if one != left_out]
    headers = Signer(KEY_ID, SECRET, algorithm).sign("GET", "/a?b=c", names=names)
    error = refusal(made("GET", "/a", "b=c", headers))
    assert error.reason == "IncompleteSignature"
    assert left_out in error.message


@pytest.mark.parametrize("root", ["", "/embeddings"])
@pytest.mark.parametrize("signed", ["/v3/a%20b", "/embeddings/v3/a%20b", "/v3/a b", "/embeddings/v3/a b"])
@pytest.mark.parametrize("arrived", ["/v3/a%20b", "/embeddings/v3/a%20b"])
def test_paths_behind_a_proxy(root: str, signed: str, arrived: str) -> None:
    """What was signed is the public path, or the server's own; the proxy strips the prefix or leaves it."""
    headers = Signer(KEY_ID, SECRET).sign("GET", "/", signed_path=signed)
    request = dataclasses.replace(made("GET", arrived, "", headers), root_path=root.encode())
    if root or signed.replace(" ", "%20") == arrived:
        request.check()
    else:
        refusal(request)


def test_an_escaped_slash_is_no_slash() -> None:
    """A signature for one model's route is none for a model whose name looks like it."""
    headers = Signer(KEY_ID, SECRET).sign("POST", "/models/a/actions/debug")
    refusal(made("POST", "/models/a%2Factions%2Fdebug", "", headers))
    headers = Signer(KEY_ID, SECRET).sign("POST", "/models/a%2Factions%2Fdebug")
    made("POST", "/models/a%2Factions%2Fdebug", "", headers).check()


@pytest.mark.parametrize("day", ["20261120", "x"])
def test_the_day_of_an_acs4_credential_is_that_of_its_date(day: str) -> None:
    """The key is derived from it."""
    request = Request.of(BELIEVED["acs4"])
    text = request.header("authorization").replace("/20261121/", f"/{day}/")
    assert refusal(request.with_header("authorization", text)).reason == "IncompleteSignature"


def test_signed_is_told_from_other_schemes() -> None:
    """Also where the algorithm is one that is not known."""
    assert is_signed(" acs3-hmac-sm3 Credential=a")
    assert is_signed("ACS4-HMAC-SHA256")
    assert not is_signed("Bearer ACS")
    assert not is_signed("")


def made(method: str, path: str, query: str, headers: dict[str, str]) -> Request:
    pairs = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return Request(method, path.encode(), query.encode(), pairs, b"")


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=3))
def test_no_two_queries_have_one_form(pairs: list[tuple[str, str]]) -> None:
    """Whatever is in names and values, the forms in which a query may be signed lead back to that query alone."""
    raw = urlencode(pairs, errors="replace").encode()
    meant = sorted(parse_qsl(raw.decode(), keep_blank_values=True))
    for form in signature_module._queries(raw):
        assert sorted(parse_qsl(form.decode().replace("+", "%2B"), keep_blank_values=True)) == meant
