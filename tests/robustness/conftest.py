"""The servers that several of these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server

from .running import running


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the fake model, generous limits and a body time limit of half a second."""
    with running(tmp_path_factory.mktemp("fake"), "--body-timeout-s", "0.5", "--max-body-bytes", "100000") as server:
        yield server
