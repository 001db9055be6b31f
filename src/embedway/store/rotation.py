"""All that is sealed in the database: whether the master keys at hand open it, and sealing it anew."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Connection, select, update

from embedway.errors import SettingsError
from embedway.store.schema import access_key, model
from embedway.store.vault import Vault

SEALED: tuple[Column[str], ...] = (model.c.secrets, access_key.c.secret)
"""The columns of sealed texts. An empty one holds no secret."""


def count_closed(connection: Connection, vault: Vault) -> int:
    """How many secrets of the database the vault cannot read."""
    return sum(not _opens(vault, sealed) for _, sealed in _sealed(connection))


def reseal_all(connection: Connection, vault: Vault) -> int:
    """Seal every secret by the first master key; returns how many. Raises `SettingsError` if one cannot be read."""
    count = 0
    for column, sealed in list(_sealed(connection)):
        changed = update(column.table).where(column == sealed).values({column: vault.reseal(sealed)})
        connection.execute(changed)  # where another process has just written, its secret stays
        count += 1
    return count


def _sealed(connection: Connection) -> Iterator[tuple[Column[str], str]]:
    for column in SEALED:
        for sealed in connection.scalars(select(column).where(column != "")):
            yield column, sealed


def _opens(vault: Vault, sealed: str) -> bool:
    try:
        vault.unseal(sealed)
    except SettingsError:
        return False
    return True
