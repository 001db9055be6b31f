"""What access needs of the store: its access keys, reloaded when they change, and its memory of nonces."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from embedway.access.accesskeys import KeyPair
from embedway.errors import SettingsError, SetupError
from embedway.http.access import Access

if TYPE_CHECKING:
    from embedway.access.records import KeyRow
    from embedway.store.database import Database
    from embedway.store.vault import Vault
    from embedway.store.versions import Watch

log = logging.getLogger(__name__)


class StoredCredentials:
    """A change that any process makes to the keys is known here within a second."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._watch: Watch | None = None

    async def open(self, database: Database, vault: Vault) -> None:
        from embedway.access.records import VERSION, NonceRecords, read_keys
        from embedway.store.versions import Watch

        records = NonceRecords()

        async def spend(mark: str, expires_s: float, key_id: str) -> bool:
            return await database.run(partial(records.spend, mark=mark, expires_s=expires_s, key_id=key_id))

        async def reload() -> None:
            rows = await database.run(read_keys, reads=True)
            self._access.access_keys.take([pair for row in rows if (pair := _unseal(row, vault))])

        self._access.nonces.use(spend)
        self._watch = Watch(database, VERSION, reload)
        try:
            await self._watch.look()
        except SetupError:
            raise  # no later look will be better
        except Exception:
            log.info("The access keys of the database could not be read yet.")
        self._watch.start()

    async def close(self) -> None:
        if self._watch is not None:
            await self._watch.stop()


def _unseal(row: KeyRow, vault: Vault) -> KeyPair | None:
    """One key that no master key opens must not take the others with it."""
    try:
        return row.pair(vault)
    except SettingsError as error:
        log.warning("The access key %s cannot be used. %s", row.id, error.message)
        return None
