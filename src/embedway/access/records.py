"""Access keys and nonces in the store. Secrets are sealed by the vault; every change to a key leaves an event."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from embedway.access.accesskeys import KeyPair
from embedway.settings import Permission
from embedway.store import audit, versions
from embedway.store.schema import access_key, nonce
from embedway.store.vault import Vault

VERSION = "access"
"""The name under which `embedway.store.versions` counts the changes to keys."""
_CLEAN_EVERY_S = 60.0
_NOTED_EVERY_S = 60.0
_READ = msgspec.json.Decoder(tuple[Permission, ...])


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An access key as the store has it; `sealed` is empty once it is revoked. Times are Unix time."""

    id: str
    sealed: str
    permissions: tuple[Permission, ...]
    note: str
    created_s: float
    expires_s: float | None
    revoked: bool
    last_used_s: float | None

    def pair(self, vault: Vault) -> KeyPair:
        """Raises `SettingsError` when no master key fits."""
        secret = "" if self.revoked else vault.unseal(self.sealed)
        return KeyPair(self.id, secret, self.permissions, self.expires_s, self.revoked)


def read_keys(connection: Connection) -> Sequence[KeyRow]:
    """All keys, the oldest first, revoked ones too."""
    rows = connection.execute(select(access_key).order_by(access_key.c.created_s, access_key.c.id))
    return [
        KeyRow(
            id=row.id,
            sealed=row.secret,
            permissions=_READ.decode(row.permissions),
            note=row.note,
            created_s=row.created_s,
            expires_s=row.expires_s,
            revoked=row.disabled,
            last_used_s=row.last_used_s,
        )
        for row in rows
    ]


def add_key(connection: Connection, pair: KeyPair, sealed: str, note: str, who: str) -> None:
    """Store a new key."""
    permissions = msgspec.json.encode(pair.permissions).decode()
    connection.execute(
        insert(access_key).values(
            id=pair.id,
            secret=sealed,
            permissions=permissions,
            note=note,
            created_s=time.time(),
            expires_s=pair.expires_s,
            disabled=False,
        )
    )
    detail = {"permissions": msgspec.to_builtins(pair.permissions), "expires_s": pair.expires_s, "note": note}
    _tell(connection, who, "CreateAccessKey", pair.id, detail)


def revoke_key(connection: Connection, key_id: str, who: str) -> bool:
    """Refuse a key from now on, and forget its secret. False when there is no such key, or it is revoked already."""
    changed = connection.execute(
        update(access_key)
        .where(access_key.c.id == key_id, access_key.c.disabled.is_(False))
        .values(disabled=True, secret="")
    )
    if changed.rowcount == 0:
        return False
    _tell(connection, who, "RevokeAccessKey", key_id, {})
    return True


class NonceRecords:
    """Nonces that any process on this database has seen. Those that time has passed by are deleted now and then."""

    def __init__(self) -> None:
        self._cleaned_s = 0.0

    def spend(self, connection: Connection, mark: str, expires_s: float, key_id: str) -> bool:
        """Note a nonce, and that its key was used; False when the nonce is there already."""
        now_s = time.time()
        old = nonce.c.expires_s < now_s
        if now_s - self._cleaned_s < _CLEAN_EVERY_S:
            old = (nonce.c.value == mark) & old
        else:
            self._cleaned_s = now_s
        connection.execute(delete(nonce).where(old))
        try:
            with connection.begin_nested():
                connection.execute(insert(nonce).values(value=mark, expires_s=expires_s))
        except IntegrityError:
            return False
        unnoted = or_(access_key.c.last_used_s.is_(None), access_key.c.last_used_s < now_s - _NOTED_EVERY_S)
        connection.execute(update(access_key).where(access_key.c.id == key_id, unnoted).values(last_used_s=now_s))
        return True


def _tell(connection: Connection, who: str, action: str, key_id: str, detail: dict[str, object]) -> None:
    audit.record(connection, who, f"embedway:{action}", f"accesskey/{key_id}", "", detail)
    versions.bump(connection, VERSION)
