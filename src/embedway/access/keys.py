"""Who asks: from a bearer token to a `Caller`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

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
        digest = bearer_digest(authorization)
        if digest is None:
            raise Unauthenticated("An API key is needed: send the header 'Authorization: Bearer <key>'.")
        if not self.know(digest):
            raise Unauthenticated("The API key is not valid.")
        return Caller(flow=digest[:16])

    def know(self, digest: str) -> bool:
        """Whether a key is one of these. All are compared, so that the time taken does not tell which one was near."""
        known = [hmac.compare_digest(digest, one) for one in self._digests]
        return any(known)


def read_bearer(headers: Mapping[str, str]) -> str | None:
    """The header Authorization, or what stands for it: with a bearer token, the vendor's client of the control plane
    sends `x-acs-bearer-token` and `x-acs-signature-type: BEARERTOKEN` instead.
    """
    given, token = headers.get("authorization"), headers.get("x-acs-bearer-token")
    if given is None and token and headers.get("x-acs-signature-type", "").upper() == "BEARERTOKEN":
        return f"Bearer {token}"
    return given


def bearer_digest(authorization: str | None) -> str | None:
    """The SHA-256 of a bearer token, in hex; None for any other scheme."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return hash_secret(key.strip()) if scheme.lower() == "bearer" and key.strip() else None


def check_token(token: str | None, digest: str | None) -> None:
    """A deployment's own token. Raises `Unauthenticated` unless the deployment has none."""
    if digest is not None and not hmac.compare_digest(hash_secret(token or ""), digest):
        raise Unauthenticated("The header 'Token' does not hold this deployment's token.")
