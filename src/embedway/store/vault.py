"""The vault: secrets that must be readable again are stored encrypted.

The master keys are any texts. HKDF (RFC 5869, SHA-256) makes of each a key for Fernet (AES-128-CBC with HMAC-SHA256);
the first encrypts, all decrypt. Without any, a random one lies in a file of mode 0600 beside the database. A file that
is there decrypts even beside master keys: so they can follow it.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from embedway.errors import SettingsError
from embedway.settings import Settings
from embedway.store.address import Address
from embedway.store.database import Database
from embedway.store.files import flush_folder

_PURPOSE = b"embedway vault 1"
_WRONG = (
    "A stored secret cannot be decrypted with the master keys of this server: set EMBEDWAY_MASTER_KEY to the key that "
    "it was stored with, or several with commas between them, the newest first{file}."
)


class Vault:
    """Seals and unseals texts. The key file is made by the first seal that finds no master key."""

    def __init__(self, master_keys: Sequence[str], file: Path) -> None:
        self._keys = tuple(master_keys)
        self.file = file
        self._made: MultiFernet | None = None

    def seal(self, text: str) -> str:
        """Encrypt a text. Raises `SettingsError` when the key file can be neither read nor made."""
        return self._fernet(make=True).encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text again. Raises `SettingsError` when no master key fits."""
        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise self._wrong() from None

    def reseal(self, sealed: str) -> str:
        """The same text encrypted by the first master key, so that older ones can be dropped."""
        try:
            return self._fernet(make=True).rotate(sealed.encode()).decode()
        except InvalidToken:
            raise self._wrong() from None

    def _fernet(self, make: bool = False) -> MultiFernet:
        if self._made is None:
            found = self._read_file()
            if found is None and not self._keys:
                if not make:
                    raise self._wrong()
                found = self._make_file()
            keys = (*self._keys, *([found] if found is not None else ()))
            self._made = MultiFernet([Fernet(_derive(key)) for key in keys])
        return self._made

    def _wrong(self) -> SettingsError:
        return SettingsError(_WRONG.format(file="" if self._keys else f"; or restore the key file {self.file}"))

    def _read_file(self) -> str | None:
        try:
            found = self.file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The key file {self.file} cannot be read: {error}.") from error
        if not found:
            raise SettingsError(f"The key file {self.file} is empty: restore it, or remove it with what it sealed.")
        return found

    def _make_file(self) -> str:
        """Write a new key beside its place and link it there: whole or not at all; the first of two processes wins."""
        part = self.file.with_name(f".{self.file.name}.{secrets.token_hex(8)}")
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _write(part, secrets.token_urlsafe(32) + "\n")
                with suppress(FileExistsError):
                    os.link(part, self.file)
            finally:
                part.unlink(missing_ok=True)
            flush_folder(self.file.parent)
        except OSError as error:
            raise SettingsError(
                f"The key file {self.file} cannot be made: {error.strerror}. Set EMBEDWAY_MASTER_KEY instead."
            ) from error
        found = self._read_file()
        if found is None:
            raise SettingsError(f"The key file {self.file} is gone as soon as it is made.")
        return found


def open_vault(settings: Settings, database: Database) -> Vault:
    """The vault of a database. Nothing is read or made before the first secret."""
    return Vault(settings.master_key, key_file(database.address))


def key_file(address: Address) -> Path:
    """Where a key lies that nobody has set: beside a SQLite file, for PostgreSQL in the folder of the user's data."""
    name = f"{address.file.name}.key" if address.file is not None else "master.key"
    return address.folder / name


def _derive(key: str) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
