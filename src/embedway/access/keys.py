"""What callers show: a bearer token, a deployment's token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from embedway.errors import Unauthenticated
from embedway.settings import hash_secret


def read_bearer(headers: Mapping[str, str]) -> str | None:
    """The header Authorization, or what stands for it: with a bearer token, the vendor's client of the control plane
    sends `x-acs-bearer-token` and `x-acs-signature-type: BEARERTOKEN` instead.
    """
    given, token = headers.get("authorization"), headers.get("x-acs-bearer-token")
    if given is None and token and headers.get("x-acs-signature-type", "").upper() == "BEARERTOKEN":
        return f"Bearer {token}"
    return given


def bearer_token(authorization: str | None) -> str | None:
    """The bearer token; None for any other scheme. `Bearer` may be written in any case, as RFC 9110 §11.1 has it."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def check_token(token: str | None, digest: str | None) -> None:
    """A deployment's own token. Raises `Unauthenticated` unless the deployment has none."""
    if digest is not None and not hmac.compare_digest(hash_secret(token or ""), digest):
        raise Unauthenticated("The header 'Token' does not hold this deployment's token.")
