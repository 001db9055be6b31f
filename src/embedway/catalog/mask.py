"""What of a definition is secret, how it is shown, and how what is shown is made whole again.

A definition is shown as in the vendor's own sample: `Bearer OS-v0********6vvs`, the first 5 and the last 4 characters
of a token with 8 stars between them; a short token is all stars. What is shown is what is stored in clear: the whole
secrets lie beside it, sealed, each under the JSON pointer (RFC 6901) of its place. Source of the form: Alibaba Cloud
help, OpenSearch Vector Search Edition, "GetModel".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote_plus

from embedway.backends.remote_secrets import is_secret
from embedway.catalog.definition import origin_of
from embedway.catalog.verbatim import Number, Object, Tree
from embedway.errors import SecretRequired

STARS = "*" * 8
FIRST, LAST = 5, 4
SHORTEST = 2 * (FIRST + LAST)
"""A token of fewer characters would be shown by more than half."""
LEAST_REDACTED = 4
"""Characters of a secret that is looked for in texts; a shorter one stands in too many words."""

MAX_SENTENCE = 500

_HEADERS = re.compile(r"authorization|auth|key|secret|token|cookie|passw|credential|signature", re.IGNORECASE)
_SCHEME = re.compile(r"(\s*(?:Bearer|Basic|Digest|Token|Api-?Key|Key|Negotiate)\s+)(\S.*)", re.IGNORECASE | re.DOTALL)
_QUERY = re.compile(r"(?<=[?&])([^=&#]+)=([^&#]*)")

Secrets = Mapping[str, Tree]
"""Whole secrets by the JSON pointers of their places; one within the URL's query as `/url?NAME`."""
_Swap = Callable[[str, str], str]


def conceal(content: Object) -> tuple[Object, dict[str, Tree]]:
    """The content with each secret as it is shown, and the secrets."""
    secrets: dict[str, Tree] = {}

    def swap(pointer: str, value: str) -> str:
        secrets[pointer] = value
        return mask(value)

    return _walk(content, swap), secrets


def reveal(content: Object, secrets: Secrets) -> Object:
    """The content whole again: what `conceal` was given."""
    return _walk(content, lambda pointer, value: _text(secrets.get(pointer, value)))


def restore(content: Object, secrets: Secrets, trusted: bool) -> Object:
    """A new content in which what is given as it was shown means the stored secret.

    Not `trusted` is a URL of another origin: a secret must not follow to where its owner did not send it. Raises
    `SecretRequired` then, and for a masked value that stands for no stored secret.
    """

    def swap(pointer: str, value: str) -> str:
        if STARS not in value:
            return value
        stored = secrets.get(pointer)
        place = "$.content" + re.sub(r"[/?]", ".", pointer)
        if not isinstance(stored, str) or mask(stored).strip() != value.strip():
            raise SecretRequired("This value is masked, and stands for no stored secret: give it whole.", place)
        if not trusted:
            raise SecretRequired("The URL's scheme, host or port has changed: give this secret anew.", place)
        return stored

    return _walk(content, swap)


def merge(masked: Object, given: Object, secrets: Secrets) -> Object:
    """A stored definition with the given keys in the place of its own, whole. Raises `SecretRequired`."""
    merged = {**masked, **given}
    return restore(merged, secrets, trusted=_origin(masked.get("url")) == _origin(merged.get("url")))


def mask(value: str) -> str:
    """A secret as it is shown; the scheme before a token and the spaces around it stay."""
    if isinstance(value, Number):
        return STARS
    found = _SCHEME.fullmatch(value)
    scheme, rest = found.groups() if found else ("", value)
    token = rest.strip()
    shown = STARS if len(token) < SHORTEST else token[:FIRST] + STARS + token[-LAST:]
    return scheme + rest.replace(token, shown, 1) if token else value


def redact(text: str, secrets: Iterable[Tree]) -> str:
    """A text in which no secret stands whole, however it is written: in a URL, in JSON, or its token only."""
    for value in sorted({form for one in secrets if isinstance(one, str) for form in _forms(one)}, key=len)[::-1]:
        text = text.replace(value, mask(value))
    return text


def plain(text: str, secrets: Iterable[Tree]) -> str:
    """A sentence without secrets, and without what a table or a log cannot carry."""
    printed = "".join(one if one.isprintable() else " " for one in redact(text, secrets))
    return printed[:MAX_SENTENCE]


def _forms(secret: str) -> Iterable[str]:
    found = _SCHEME.fullmatch(secret)
    for plain in {secret.strip(), found.group(2).strip() if found else secret.strip()}:
        written = {plain, quote(plain), quote(plain, safe=""), quote_plus(plain), unquote_plus(plain)}
        written |= {json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]}
        yield from (form for form in written if len(form) >= LEAST_REDACTED)


def _walk(content: Object, swap: _Swap) -> Object:
    """The content with its secrets swapped, each found by the name of its place."""
    found = {key: _inner(value, f"/{_escape(key)}", is_secret(key), swap) for key, value in content.items()}
    if isinstance(url := content.get("url"), str):
        found["url"] = _in_url(url, swap)
    request, given = content.get("request"), found.get("request")
    if isinstance(request, dict) and isinstance(given, dict) and isinstance(headers := request.get("header"), dict):
        given["header"] = {
            name: _inner(value, f"/request/header/{_escape(name.lower())}", bool(_HEADERS.search(name)), swap)
            for name, value in headers.items()
        }
    return found


def _inner(value: Tree, pointer: str, secret: bool, swap: _Swap) -> Tree:
    if isinstance(value, dict):
        if pointer == "/request/header":  # has rules of its own
            return dict(value)
        return {
            key: _inner(one, f"{pointer}/{_escape(key)}", secret or is_secret(key), swap) for key, one in value.items()
        }
    if isinstance(value, list):
        return [_inner(one, f"{pointer}/{index}", secret, swap) for index, one in enumerate(value)]
    return swap(pointer, value) if secret and isinstance(value, str) and value.strip() else value


def _in_url(url: str, swap: _Swap) -> str:
    seen: dict[str, int] = {}

    def one(found: re.Match[str]) -> str:
        name, value = found.groups()
        if not value or not is_secret(unquote_plus(name)):
            return found.group()
        seen[name] = seen.get(name, 0) + 1
        nth = f"#{seen[name]}" if seen[name] > 1 else ""
        return f"{name}={swap(f'/url?{name}{nth}', value)}"

    return _QUERY.sub(one, url)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _origin(url: Tree) -> tuple[str, str, int] | None:
    try:
        return origin_of(url) if isinstance(url, str) else None
    except ValueError:  # no URL at all, as its check will say
        return None


def _text(value: Tree) -> str:
    return value if isinstance(value, str) else ""
