"""Which quotas a call falls under, and what a request's body counts as before its tokens are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from embedway.access.window import Unit, Window
from embedway.models.services import SERVICES
from embedway.settings import Quota, hash_secret
from embedway.types import Caller

ANY = "*"
BYTES_A_TOKEN = 4
IMAGE_TOKENS = 256
_IMAGE_BYTES = 1024
_ENCODED = re.compile(rb"(?:data:[a-z]+/[a-z.+-]+;base64,)?[A-Za-z0-9+/=_\\-]{900}")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_FLOW_DIGITS = 16
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Bound:
    """A quota as it applies to one call: counted under `name`, for whom `scope` says in words."""

    quota: Quota
    name: str
    scope: str
    requests: Window | None
    tokens: Window | None


class Rules:
    """The quotas of a server, found by what a call says of itself. Finding them takes no I/O.

    A `service` holds for calls under that name; the own name of a model holds for all calls that reach it.
    """

    def __init__(self, quotas: Sequence[Quota], defaults: Sequence[Quota] = ()) -> None:
        """`defaults` hold for calls under their very name, unless one of `quotas` limits the requests of the same."""
        limited = {one.service for one in quotas if one.requests_per_s is not None}
        self._general = [one for one in quotas if one.service is None]
        self._named = [one for one in quotas if one.service is not None]
        self._defaults = {one.service: one for one in defaults if one.service not in limited}

    def __bool__(self) -> bool:
        return bool(self._general or self._named or self._defaults)

    @property
    def ask_for_models(self) -> bool:
        """Whether it matters which model stands behind a name."""
        return bool(self._named)

    def general(self, caller: Caller) -> list[Bound]:
        """The quotas without a service that the caller falls under."""
        return [_bind(one, caller, None) for one in self._general if _covers(one, caller)]

    def of_service(self, caller: Caller, asked: str | None, model: str | None) -> list[Bound]:
        """Those with a service, for a call that asks for a name; `model` is the own name of what stands behind it, None
        where that is nothing.
        """
        default = [_bind(self._defaults[asked], caller, asked)] if asked in self._defaults else []
        return default + [
            _bind(one, caller, model if one.service == ANY else one.service)
            for one in self._named
            if _covers(one, caller) and (one.service in (asked, model) or (one.service == ANY and model))
        ]


def default_quotas() -> Sequence[Quota]:
    """The requests a second that the vendor's documents state for an account, here for each key."""
    return [Quota(key=ANY, service=name, requests_per_s=one.qps) for name, one in SERVICES.items() if one.qps]


def estimate_tokens(body: bytes) -> int:
    """What a JSON body is taken for until its tokens are known: one for `BYTES_A_TOKEN` bytes, and `IMAGE_TOKENS` for
    each text that looks like an encoded image.
    """
    size, images = len(body), 0
    if size > _IMAGE_BYTES:
        for part in body.split(b'"'):
            if len(part) > _IMAGE_BYTES and _ENCODED.match(part):
                size -= len(part)
                images += 1
    return max(1, size // BYTES_A_TOKEN) + images * IMAGE_TOKENS


def _covers(given: Quota, caller: Caller) -> bool:
    if given.workspace not in (None, ANY, caller.namespace):
        return False
    if given.key in (None, ANY, caller.flow):
        return True
    # the flow of an API key is how its digest begins, or the id of a stored one, whose digest stands beside it
    begins = given.key[:_FLOW_DIGITS]
    return _DIGEST.fullmatch(given.key) is not None and any(
        one.startswith(begins) for one in (caller.flow, caller.digest)
    )


@lru_cache(1024)
def _bind(given: Quota, caller: Caller, service: str | None) -> Bound:
    """Quotas with other selectors count apart, and so do the callers that a selector tells apart."""
    values = (
        ("key", given.key, caller.flow),
        ("workspace", given.workspace, caller.namespace),
        ("service", given.service, service),
    )
    told = [(kind, selector, _short(value or "")) for kind, selector, value in values if selector is not None]
    name = ",".join(f"{kind}={quote(selector, '*')}:{quote(value, '')}" for kind, selector, value in told)
    scope = " and ".join(f"'{value}'" if kind == "service" else f"this {kind}" for kind, _, value in told)
    name, scope = name or "all", scope or "all callers"
    return Bound(
        quota=given,
        name=name,
        scope=scope,
        requests=_window(f"{name}:requests", given.requests_per_s, 1, "requests", scope),
        tokens=_window(f"{name}:tokens", given.tokens_per_minute, 60, "tokens", scope),
    )


def _window(name: str, limit: int | None, period_s: int, unit: Unit, scope: str) -> Window | None:
    return Window(name, limit, period_s * 1000, unit, scope) if limit else None


def _short(value: str) -> str:
    """What callers may make up as long as they like, such as a workspace, is not kept as long."""
    return value if len(value) <= _LONGEST else hash_secret(value)
