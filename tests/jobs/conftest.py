"""Stores of both kinds, made once for all tests of the queue and emptied for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from embedway.store.database import Database
from embedway.store.schema import metadata
from tests.postgres import KINDS, new_url


@pytest.fixture(scope="session", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with tables."""
    made = new_url(request.param, request, tmp_path_factory.mktemp("jobs"))
    first = Database(made)
    first.run_now(lambda connection: None)
    first.close()
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The same, empty."""
    opened = Database(url)
    opened.run_now(lambda connection: [connection.execute(delete(table)) for table in metadata.tables.values()])
    yield opened
    opened.close()
