"""What holds for every test."""

import os
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import settings

from .postgres import database_url, postgres

__all__ = ["database_url", "postgres"]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
"""The same examples in every run, so that a change is judged by what it changed; `explore` looks for new ones."""


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of the session's own for what servers and commands store, where a test names no other."""
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(tmp_path_factory.mktemp("data"))):
        yield
