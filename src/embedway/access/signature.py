"""Signed requests: Alibaba Cloud's ACS3-HMAC-SHA256 and ACS4-HMAC-SHA256, checked without any I/O.

Source: Alibaba Cloud help, "V3 request body and signature mechanism"; ACS4 as the client of the AI Search Open Platform
(`alibabacloud_gateway_pop` 0.1.3) signs. A canonical request is six parts with a line feed between them: method, path,
query (sorted, percent-encoded), `name:value` lines of the signed headers, their names, the SHA-256 of the body in hex.
What is signed is the algorithm's name, a line feed, and the SHA-256 of the canonical request in hex.

The path is the one on the wire, or the same unquoted: the platform's client signs a workspace's name before it escapes
it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from embedway.errors import SignatureRefused

Headers = Mapping[str, Sequence[bytes]]
"""The values of each header as they came, by its name in lower case."""
SKEW_S = 15 * 60
"""How far a request's clock may be from ours, both ways: Alibaba Cloud's own limit."""
MUST_SIGN = ("host", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256")

_PLAIN_NAME = re.compile(r"[^&=%#+\x00-\x20\x7f]*")
_ALGORITHMS = ("ACS3-HMAC-SHA256", "ACS4-HMAC-SHA256")
_AUTHORIZATION = re.compile(
    r"(?P<algorithm>\S+)\s+Credential=(?P<credential>[^,\s]+)\s*,"
    r"\s*SignedHeaders=(?P<names>[^,\s]+)\s*,\s*Signature=(?P<value>[0-9a-fA-F]{64})"
)
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NAME = re.compile(r"[a-z0-9._-]{1,128}")
_NONCE = re.compile(r"[\x21-\x7e]{1,128}")
_HASH = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_TERMINATOR = "aliyun_v4_request"
_SESSION_HEADERS = ("x-acs-security-token", "x-acs-accesskey-id")


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body, as it came: `path` and `query` are bytes of the request line.

    `root_path` is the path under which a proxy publishes the server; the proxy may strip it or leave it.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    root_path: bytes = b""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed request says of itself; nothing of it is proved before `prove`. `date_s` is Unix time.

    `scope` is date, region and product of an ACS4 credential, in the order in which the key is derived from them.
    """

    algorithm: str
    key_id: str
    scope: tuple[str, ...]
    names: tuple[str, ...]
    value: bytes = field(repr=False)
    nonce: str
    date_s: float
    body_sha256: str


def is_signed(authorization: str) -> bool:
    """Whether a header Authorization is a signature, or tries to be one."""
    return authorization.lstrip()[:3].upper() == "ACS"


def fold(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers of an ASGI scope by name."""
    folded: dict[str, list[bytes]] = {}
    for name, value in headers:
        folded.setdefault(name.decode("latin-1").lower(), []).append(value.strip())
    return folded


def read_claim(headers: Headers, now_s: float) -> Claim:
    """Everything that can be checked without the secret and the body. Raises `SignatureRefused`."""
    found = _AUTHORIZATION.fullmatch(_single(headers, "authorization"))
    if found is None or found["algorithm"] not in _ALGORITHMS:
        raise _incomplete(
            "Authorization must read 'ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…' "
            "(or ACS4-HMAC-SHA256), with 64 hexadecimal digits of signature"
        )
    if any(name in headers for name in _SESSION_HEADERS):
        raise SignatureRefused(
            "Temporary credentials (STS) are not supported: sign with an access key, without x-acs-security-token "
            "and x-acs-accesskey-id.",
            "InvalidSecurityToken.NotSupported",
        )
    names = _signed_names(found["names"], headers)
    date = _single(headers, "x-acs-date")
    key_id, scope = _credential(found["algorithm"], found["credential"], date)
    claim = Claim(
        algorithm=found["algorithm"],
        key_id=key_id,
        scope=scope,
        names=names,
        value=bytes.fromhex(found["value"]),
        nonce=_matching(_NONCE, headers, "x-acs-signature-nonce", "1 to 128 visible ASCII characters"),
        date_s=_read_date(date),
        body_sha256=_matching(_HASH, headers, "x-acs-content-sha256", "the body's SHA-256 in lower-case hex"),
    )
    check_fresh(claim.date_s, now_s)
    return claim


def check_fresh(date_s: float, now_s: float) -> None:
    """Raise `SignatureRefused` for a request that was signed too long ago, or too far ahead."""
    if abs(now_s - date_s) > SKEW_S:
        date = datetime.fromtimestamp(date_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise SignatureRefused(
            f"x-acs-date is {date}, more than {SKEW_S // 60} minutes from the server's time: set the clock right.",
            "InvalidTimeStamp.Expired",
        )


def prove(claim: Claim, secret: str, head: Head, body: bytes) -> None:
    """Check the body against its hash, and the signature. Takes the same time whatever differs.

    Raises `SignatureRefused`, which does not say what the signature should have been.
    """
    body_sha256 = hashlib.sha256(body).hexdigest()
    if not hmac.compare_digest(body_sha256, claim.body_sha256):
        raise SignatureRefused(
            "x-acs-content-sha256 is not the SHA-256 of the body that arrived: something changed it on its way.",
            "SignatureDoesNotMatch",
        )
    key = _signing_key(claim, secret)
    lines = _header_lines(claim.names, head.headers)
    names = ";".join(claim.names).encode()
    matching = [
        hmac.compare_digest(_sign(claim.algorithm, key, canonical), claim.value)
        for path, query in product(_paths(head), _queries(head.query))
        for canonical in [b"\n".join((head.method.encode(), path, query, lines, names, body_sha256.encode()))]
    ]
    if not any(matching):
        raise SignatureRefused(
            "The signature does not match: check the access key's secret, and that nothing on the way changes the "
            "path, the query or a signed header such as Host.",
            "SignatureDoesNotMatch",
        )


def _signed_names(given: str, headers: Headers) -> tuple[str, ...]:
    names = tuple(given.split(";"))
    if len(set(names)) != len(names) or not all(_NAME.fullmatch(name) for name in names):
        raise _incomplete("SignedHeaders must name each header once, in lower case, with semicolons between them")
    for name in MUST_SIGN:
        if name not in names:
            raise _incomplete(f"SignedHeaders must cover {', '.join(MUST_SIGN)}; {name} is missing")
    for name in names:
        if name not in headers:
            raise _incomplete(f"The signed header {name} was not sent, or was lost on its way")
    for name in MUST_SIGN:
        _single(headers, name)
    return names


def _credential(algorithm: str, credential: str, date: str) -> tuple[str, tuple[str, ...]]:
    """The access key's id, and the scope of an ACS4 signature."""
    key_id, *scope = credential.split("/")
    if not _KEY_ID.fullmatch(key_id):
        raise _incomplete("Credential must begin with the id of an access key")
    if algorithm == _ALGORITHMS[0]:
        if scope:
            raise _incomplete("The Credential of ACS3-HMAC-SHA256 is the id of an access key and nothing else")
        return key_id, ()
    if len(scope) != 4 or not all(_KEY_ID.fullmatch(part) for part in scope) or scope[3] != _TERMINATOR:
        raise _incomplete(f"The Credential of ACS4-HMAC-SHA256 must read ID/yyyymmdd/region/product/{_TERMINATOR}")
    if scope[0] != date[:10].replace("-", ""):
        raise _incomplete("The day in Credential is not that of x-acs-date")
    return key_id, tuple(scope[:3])


def _single(headers: Headers, name: str) -> str:
    values = headers[name]
    if len(values) != 1:
        raise _incomplete(f"The header {name} must be sent once")
    return values[0].decode("latin-1")


def _matching(pattern: re.Pattern[str], headers: Headers, name: str, meaning: str) -> str:
    value = _single(headers, name)
    if not pattern.fullmatch(value):
        raise _incomplete(f"The header {name} must hold {meaning}")
    return value


def _read_date(given: str) -> float:
    try:
        if _DATE.fullmatch(given):
            return datetime.strptime(given, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    raise SignatureRefused("x-acs-date must read like 2026-11-21T00:04:03Z, in UTC.", "InvalidTimeStamp.Format")


def _header_lines(names: Sequence[str], headers: Headers) -> bytes:
    """A line for each signed header; values of one that came several times are sorted, with commas between them."""
    return b"".join(name.encode() + b":" + b",".join(sorted(headers[name])) + b"\n" for name in names)


def _paths(head: Head) -> Sequence[bytes]:
    """The forms of the path that the caller may have signed: with and without the root path, quoted and unquoted.

    A path with an escaped slash is not unquoted: it would be another path.
    """
    inner = head.path.removeprefix(head.root_path) or b"/"
    outer = head.root_path + inner
    wire = dict.fromkeys((head.path, inner, outer))
    plain = dict.fromkeys(unquote_to_bytes(path) for path in wire if b"%2f" not in path.lower())
    return list(wire | plain)


def _queries(raw: bytes) -> Sequence[bytes]:
    """The query in canonical form. One vendor's client escapes the values only, another the names too.

    The former is read where no name holds what separates names: else two queries would have one form.
    """
    pairs = sorted(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
    escaped = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs)
    if not all(_PLAIN_NAME.fullmatch(name) for name, _ in pairs):
        return [escaped.encode()]
    values_only = "&".join(f"{name}={_escape(value)}" for name, value in pairs)
    return list(dict.fromkeys((escaped.encode(), values_only.encode())))


def _escape(text: str) -> str:
    """Percent-encoded as RFC 3986 has it; surrogates cannot occur, `parse_qsl` replaces what is no UTF-8."""
    return quote(text, safe="~")


def _signing_key(claim: Claim, secret: str) -> bytes:
    if claim.algorithm == _ALGORITHMS[0]:
        return secret.encode()
    key = b"aliyun_v4" + secret.encode()
    for part in (*claim.scope, _TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _sign(algorithm: str, key: bytes, canonical: bytes) -> bytes:
    text = f"{algorithm}\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.digest(key, text.encode(), "sha256")


def _incomplete(problem: str) -> SignatureRefused:
    return SignatureRefused(f"{problem}.", "IncompleteSignature")
