"""The forms of a database's URL, and passwords that are never told."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.errors import SettingsError
from embedway.store.address import Address, data_folder
from embedway.store.connection import make_engine


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite:///x.db?mode=ro",
        "mysql://u:pass-word@h/db",
        "pass-word",
        "postgresql://u:pass-word@h:54x/db",
        "postgresql://u:pass-word@h1:1,h2:2/db",
        "postgresql://u:pass-word@more@h/db",
        "nonsense+pass-word://x",
    ],
)
def test_a_url_that_names_no_database_is_refused_without_being_repeated(url: str) -> None:
    """One sentence that says what to write instead."""
    with pytest.raises(SettingsError, match="write") as caught:
        Address(url)
    assert "pass-word" not in caught.value.message


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_name_of_postgresql_means_the_same_driver(scheme: str) -> None:
    """psycopg 3, whatever the URL was written for."""
    found = Address(f"{scheme}://u:p%40ss@h:5433/db?sslmode=require")
    assert found.url.drivername == "postgresql+psycopg"
    assert (found.url.password, found.url.host, found.url.port, found.file) == ("p@ss", "h", 5433, None)
    assert str(found) == "h/db"


def test_a_sqlite_url_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative to the working folder, or in the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert Address("sqlite:////var/x.db").file == Path("/var/x.db")
    assert Address("sqlite:///x.db").file == tmp_path / "x.db"
    assert Address("sqlite:///~/x.db").file == Path("/home/me/x.db")


def test_a_missing_driver_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is connected to."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"pip install 'embedway\[postgres\]'"):
        Address("postgresql://h/db")


def test_a_driver_that_cannot_be_loaded_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there and lacks something, such as PostgreSQL's library."""
    address = Address("postgresql://h/db")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match="driver of PostgreSQL cannot be loaded"):
        make_engine(address, 1)


def test_the_users_data_folder_follows_the_specification() -> None:
    """`$XDG_DATA_HOME`, unless it is unset, empty or relative."""
    assert data_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/embedway")
    for environment in ({}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "data"}):
        assert data_folder(environment) == Path.home() / ".local" / "share" / "embedway"


@given(password=st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=6), around=st.text(max_size=3))
def test_what_a_driver_says_is_told_without_the_password(password: str, around: str) -> None:
    """As it is and as it stands in the URL, also where it is given as an option."""
    written = quote(password, safe="")
    for url in (f"postgresql://u:{written}@h/db", f"postgresql://h/db?password={written}"):
        told = Address(url).redact(f"cannot {around}{password} or {url}")
        assert password not in told.replace("***", "")
        assert written not in told
        assert written not in str(Address(url))
