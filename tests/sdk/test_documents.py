"""The Python examples of the document text-embedding run as they stand, with the real `requests`."""

from __future__ import annotations

import ast

from tests.server import Server
from tests.wire.commands import document
from tests.wire.exchange import KEY
from tests.wire.golden import vector_faults

from .conftest import run_client


def run_document(name: str, server: Server) -> str:
    """Run an example with the key in the variable that the document names, and return what it prints."""
    return run_client("searchplat", "-c", document(name, server), env={"OPENSEARCH_API_KEY": KEY})


def test_one_text(served: Server) -> None:
    """The first example prints the whole answer."""
    printed = ast.literal_eval(run_document("text-embedding-one-text.py.txt", served))
    assert list(printed) == ["request_id", "latency", "usage", "result"]
    assert vector_faults(printed["result"]["embeddings"][0]["embedding"], "opensearch product documentation") == []


def test_two_texts(served: Server) -> None:
    """The second prints index and first five numbers of each vector."""
    lines = run_document("text-embedding-two-texts.py.txt", served).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["0", "1"]
    first = ast.literal_eval(lines[1].split(" ", 1)[1])
    assert len(first) == 5
    assert abs(first[0] - -0.037802) < 1e-4
