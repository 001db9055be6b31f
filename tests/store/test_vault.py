"""The vault: sealed with the newest key, opened by any, and never a wrong text."""

from __future__ import annotations

import base64
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.configuration import load_settings
from embedway.errors import SettingsError
from embedway.store.database import Database
from embedway.store.vault import Vault, open_vault

NOWHERE = Path("/nonexistent/embedway.key")


@given(text=st.text(), keys=st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_what_is_sealed_is_unsealed_as_it_was(text: str, keys: list[str]) -> None:
    """Any text with any keys; sealed twice it looks different."""
    vault = Vault(keys, NOWHERE)
    sealed = vault.seal(text)
    assert vault.unseal(sealed) == text
    assert vault.seal(text) != sealed
    assert len(text) < 6 or text not in sealed


def test_a_master_key_is_followed_by_another() -> None:
    """Old and new together read what the old one sealed; resealed, the new one alone reads it, and the old one not."""
    old, both, new = (Vault(keys, NOWHERE) for keys in (("old",), ("new", "old"), ("new",)))
    sealed = old.seal("secret")
    assert both.unseal(sealed) == "secret"
    assert old.unseal(old.reseal(sealed)) == "secret"
    resealed = both.reseal(sealed)
    assert new.unseal(resealed) == "secret"
    with pytest.raises(SettingsError):
        old.unseal(resealed)


@pytest.mark.parametrize("verb", ["unseal", "reseal"])
def test_a_wrong_key_is_said_with_what_to_do(verb: str) -> None:
    """The sentence names the variable, and neither key nor secret."""
    sealed = Vault(["right"], NOWHERE).seal("hidden-text")
    with pytest.raises(SettingsError, match="EMBEDWAY_MASTER_KEY") as caught:
        getattr(Vault(["wrong-key"], NOWHERE), verb)(sealed)
    assert "wrong-key" not in caught.value.message
    assert "hidden-text" not in caught.value.message
    assert caught.value.__suppress_context__


@given(data=st.data())
def test_a_sealed_text_that_was_changed_is_refused(data: st.DataObject) -> None:
    """Whichever byte is another, and wherever it is cut: never is another text given back."""
    vault = Vault(["key"], NOWHERE)
    sealed = base64.urlsafe_b64decode(vault.seal("secret"))
    at, value = data.draw(st.integers(0, len(sealed) - 1)), data.draw(st.integers(1, 255))
    for changed in (sealed[:at] + bytes([sealed[at] ^ value]) + sealed[at + 1 :], sealed[:at]):
        with pytest.raises(SettingsError):
            vault.unseal(base64.urlsafe_b64encode(changed).decode())


def test_without_a_master_key_one_is_made_beside_the_database(sqlite_database: Database) -> None:
    """When something is sealed for the first time, not before; mode 0600, with nothing else left behind."""
    vault = open_vault(load_settings(), sqlite_database)
    assert not vault.file.parent.exists()
    sealed = vault.seal("secret")
    assert vault.file == sqlite_database.address.folder / "embedway.db.key"
    assert stat.S_IMODE(vault.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.file.parent.stat().st_mode) == 0o700
    assert list(vault.file.parent.iterdir()) == [vault.file]
    assert open_vault(load_settings(), sqlite_database).unseal(sealed) == "secret"


def test_of_postgresql_the_key_lies_in_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$XDG_DATA_HOME/embedway/master.key`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    vault = open_vault(load_settings(), Database("postgresql://h/db"))
    assert vault.file == tmp_path / "embedway" / "master.key"


def test_processes_that_seal_first_at_once_share_one_key(tmp_path: Path) -> None:
    """Sixteen vaults make the file at the same moment; each reads what every other has sealed."""
    vaults = [Vault((), tmp_path / "x.key") for _ in range(16)]
    barrier, sealed = threading.Barrier(len(vaults)), list[str]()

    def seal(vault: Vault) -> None:
        barrier.wait(10)
        sealed.append(vault.seal("secret"))

    threads = [threading.Thread(target=seal, args=(vault,)) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(vault.unseal(one) == "secret" for vault in vaults for one in sealed)
    assert len(sealed) == len(vaults)
    assert list(tmp_path.iterdir()) == [tmp_path / "x.key"]


def test_a_key_file_is_followed_by_a_master_key(tmp_path: Path) -> None:
    """With the file still there the new key reads what it sealed, and seals what is new by itself."""
    before = Vault((), tmp_path / "x.key")
    sealed = before.seal("secret")
    after = Vault(["master"], tmp_path / "x.key")
    assert after.unseal(sealed) == "secret"
    assert Vault(["master"], NOWHERE).unseal(after.seal("new")) == "new"
    assert Vault(["master"], NOWHERE).unseal(after.reseal(sealed)) == "secret"


def test_a_key_file_that_is_lost_is_named_and_not_made_anew(tmp_path: Path) -> None:
    """Reading a secret never makes a key that could not read it."""
    sealed = Vault((), tmp_path / "x.key").seal("secret")
    (tmp_path / "x.key").unlink()
    with pytest.raises(SettingsError, match=r"restore the key file .*x\.key"):
        Vault((), tmp_path / "x.key").unseal(sealed)
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_that_is_empty_or_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """An empty file is no key that anyone could guess."""
    (tmp_path / "empty.key").touch()
    with pytest.raises(SettingsError, match="is empty"):
        Vault((), tmp_path / "empty.key").seal("secret")
    with pytest.raises(SettingsError, match="cannot be made"):
        Vault((), tmp_path / "empty.key" / "x.key").seal("secret")
