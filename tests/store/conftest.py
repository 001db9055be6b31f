"""Databases to write into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedway.store.database import Database
from tests.postgres import KINDS, Postgres, new_url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database; the test runs once for each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'store' / 'embedway.db'}")
    yield opened
    opened.close()


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[Database]:
    opened = Database(postgres.new_database())
    yield opened
    opened.close()


@pytest.fixture(params=KINDS)
def other_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A second empty database, of each kind in turn."""
    opened = Database(new_url(request.param, request, tmp_path / "other"))
    yield opened
    opened.close()
