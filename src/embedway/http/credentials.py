"""What access needs of the store: its keys, reloaded when they change, when they were used, its memory of nonces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from embedway.access.accesskeys import KeyPair
from embedway.errors import SettingsError, SetupError, StoreUnavailable
from embedway.http.access import Access

if TYPE_CHECKING:
    from embedway.access.records import KeyRow
    from embedway.store.database import Database
    from embedway.store.vault import Vault
    from embedway.store.versions import Watch

log = logging.getLogger(__name__)

NOTE_S = 1.0
"""Seconds between two looks for keys that were used."""


class StoredCredentials:
    """A change that any process makes to the keys is known here within a second."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._watch: Watch | None = None
        self._database: Database | None = None
        self._noting: asyncio.Task[None] | None = None

    async def open(self, database: Database, vault: Vault) -> None:
        from embedway.access.keyrecords import read_api_keys
        from embedway.access.records import VERSION, NonceRecords, read_keys
        from embedway.store.versions import Watch

        records = NonceRecords()

        async def spend(mark: str, expires_s: float, key_id: str) -> bool:
            return await database.run(partial(records.spend, mark=mark, expires_s=expires_s, key_id=key_id))

        async def reload() -> None:
            pairs, rows = await database.run(lambda one: (read_keys(one), read_api_keys(one)), reads=True)
            self._access.access_keys.take([pair for row in pairs if (pair := _unseal(row, vault))])
            self._access.api_keys.take([row.key for row in rows])

        self._access.nonces.use(spend)
        self._watch = Watch(database, VERSION, reload)
        try:
            await self._watch.look()
        except SetupError:
            raise  # no later look will be better
        except Exception:
            log.info("The keys of the database could not be read yet.")
        self._watch.start()
        self._database = database
        self._noting = asyncio.create_task(self._note(), name="note when keys are used")

    async def look(self) -> None:
        """Take over a change of our own at once. What is stored is stored, even if the database has gone since."""
        if self._watch is not None:
            with contextlib.suppress(StoreUnavailable):
                await self._watch.look()

    async def close(self) -> None:
        if self._watch is not None:
            await self._watch.stop()
        if self._noting is not None:
            self._noting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._noting
            with contextlib.suppress(StoreUnavailable):
                await self._write()

    async def _note(self) -> None:
        """Write now and then when keys were used. What a silent database does not take is lost: the next use tells."""
        while True:
            await asyncio.sleep(NOTE_S)
            try:
                await self._write()
            except StoreUnavailable:
                pass  # the database has said so in the log
            except Exception:
                log.exception("When keys were used could not be written.")

    async def _write(self) -> None:
        from embedway.access.keyrecords import note_used

        used = self._access.api_keys.take_used()
        if used and self._database is not None:
            await self._database.run(partial(note_used, used_s=used))


def _unseal(row: KeyRow, vault: Vault) -> KeyPair | None:
    """One key that no master key opens must not take the others with it."""
    try:
        return row.pair(vault)
    except SettingsError as error:
        log.warning("The access key %s cannot be used. %s", row.id, error.message)
        return None
