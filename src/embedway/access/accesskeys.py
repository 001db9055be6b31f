"""Access keys: pairs of an id and a secret that sign requests, from the configuration and from the store."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from embedway.errors import SignatureRefused, StoreUnavailable
from embedway.settings import AccessKey, Permission

PREFIX = "EWAK"
"""How the ids that Embedway makes begin; Alibaba Cloud's begin with LTAI."""

_LETTERS = string.ascii_letters + string.digits
_ID_LENGTH, _SECRET_LENGTH = 20, 40  # 62**40 is some 238 bits


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An access key as it is judged. `expires_s` is Unix time, None for never; `revoked` ones are known and refused."""

    id: str
    secret: str = field(repr=False)
    permissions: tuple[Permission, ...]
    expires_s: float | None = None
    revoked: bool = False


class AccessKeys:
    """The access keys that this process knows. Those of the configuration win over stored ones of the same id."""

    def __init__(self, configured: Sequence[AccessKey]) -> None:
        self._configured = {one.id: KeyPair(one.id, one.secret, one.permission) for one in configured}
        self._stored: dict[str, KeyPair] | None = None

    def take(self, stored: Iterable[KeyPair]) -> None:
        """Make these the stored ones, whatever they were before."""
        self._stored = {one.id: one for one in stored}

    def find(self, key_id: str, now_s: float) -> KeyPair:
        """The key of this id. Raises `SignatureRefused` for one that is unknown, expired or revoked, and
        `StoreUnavailable` while nobody can tell because the store has not been read yet.
        """
        found = self._configured.get(key_id) or (self._stored or {}).get(key_id)
        if found is None and self._stored is None:
            raise StoreUnavailable("The database with the access keys has not been read yet: try again later.")
        if found is None:
            raise SignatureRefused(
                f"There is no access key '{key_id}': make one with 'embedway keys create --access-key'.",
                "InvalidAccessKeyId.NotFound",
            )
        if found.revoked or (found.expires_s is not None and found.expires_s <= now_s):
            how = "revoked" if found.revoked else "expired"
            raise SignatureRefused(f"The access key '{key_id}' is {how}.", "InvalidAccessKeyId.Inactive")
        return found


def make_pair(permissions: tuple[Permission, ...], expires_s: float | None) -> KeyPair:
    """A new key, random in id and secret."""
    name = PREFIX + _random(_ID_LENGTH)
    return KeyPair(name, _random(_SECRET_LENGTH), permissions, expires_s)


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
