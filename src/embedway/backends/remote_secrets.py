"""Which parts of a definition are secrets, told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

_NAMES = frozenset(("auth", "authorization", "cookie", "pass", "sas", "sig", "sign"))
_ENDINGS = (
    *("token", "key", "keyid", "secret", "secretid", "signature", "credential", "credentials"),
    *("password", "passwd", "passphrase", "pwd"),
)
_HARMLESS = frozenset(
    f"{kind}token" for kind in ("return", "max", "pad", "mask", "stop", "cls", "sep", "bos", "eos", "unk")
)


def is_secret(name: str) -> bool:
    """Whether a parameter of the body or the URL is a credential: `api_key`, `hf_token`, `subscription-key`.

    Settings of models such as `return_token`, `max_tokens`, `tokenizer` and `keywords` are none.
    """
    bare = re.sub(r"[^a-z]", "", name.lower())
    return bare in _NAMES or (bare.endswith(_ENDINGS) and bare not in _HARMLESS)


def in_query(url: str) -> Iterator[str]:
    """The secrets of a URL's query."""
    return (value for name, value in parse_qsl(url.partition("?")[2]) if is_secret(name))


def in_parameters(value: object, secret: bool = False) -> Iterator[str]:
    """The secrets of parameters, as texts; below a secret's name everything is one but true, false and null."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from in_parameters(one, secret or is_secret(key))
    elif isinstance(value, list):
        for one in value:
            yield from in_parameters(one, secret)
    elif secret and isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value).strip()
