"""The server that is fuzzed: keyless, with the fake model under the names that the routes need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reduce.artefacts import make
from tests.robustness.running import running
from tests.server import Server

from .wire import Wire

CONFIG = """
max_body_bytes = 300000
body_timeout_s = 2

[[model]]
name = "fake"
source = "fake:4"
matryoshka = [1, 2, 4]

[[deployment]]
id = "fuzzed"
model = "fake"
token = "a-token"

[[reduction]]
name = "four"
path = "FOLDER/four"
"""


@pytest.fixture(scope="session")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server; at the end it is still there, and nothing it met has put a stack into its log."""
    folder = tmp_path_factory.mktemp("fuzzed")
    make(folder / "four", 4, 2, None)
    with running(folder, config=CONFIG.replace("FOLDER", str(folder))) as server:
        yield server
        assert server.ready()
    assert "Traceback" not in server.output(), server.tail()


@pytest.fixture(scope="session")
def wire(fuzzed: Server) -> Iterator[Wire]:
    """A kept connection to it."""
    connected = Wire(fuzzed)
    yield connected
    connected.close()
