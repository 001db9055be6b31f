"""Who asks: from an Authorization header to a `Caller`."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from embedway.errors import Unauthenticated
from embedway.settings import hash_secret
from embedway.types import ANONYMOUS, Caller


class Keys:
    """The API keys of the configuration, known by their SHA-256 only. Without any, everyone is `ANONYMOUS`."""

    def __init__(self, digests: Sequence[str]) -> None:
        self._digests = tuple(digests)

    def identify(self, authorization: str | None) -> Caller:
        """Raises `Unauthenticated`. The scheme `Bearer` may be written in any case, as RFC 9110 §11.1 has it."""
        if not self._digests:
            return ANONYMOUS
        digest = _bearer_digest(authorization)
        if digest is None:
            raise Unauthenticated("An API key is needed: send the header 'Authorization: Bearer <key>'.")
        # every key is compared, so that the time taken does not tell which one was near
        known = [hmac.compare_digest(digest, one) for one in self._digests]
        if not any(known):
            raise Unauthenticated("The API key is not valid.")
        return Caller(flow=digest[:16])


def check_token(token: str | None, digest: str | None) -> None:
    """A deployment's own token. Raises `Unauthenticated` unless the deployment has none."""
    if digest is not None and not hmac.compare_digest(hash_secret(token or ""), digest):
        raise Unauthenticated("The header 'Token' does not hold this deployment's token.")


def _bearer_digest(authorization: str | None) -> str | None:
    scheme, _, key = (authorization or "").strip().partition(" ")
    return hash_secret(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
