"""The curl commands of the vendors' documents run as they stand, against a server started with --stand-in."""

from __future__ import annotations

import shlex

import pytest

from tests.server import Server

from .commands import document, run, send_as_curl
from .golden import vector_faults

TEXTS = ["Science and technology are the primary productive forces", "opensearch product documentation"]


def test_text_embedding_of_one_text(stand_in: Server) -> None:
    """The first curl command of the document text-embedding gives one vector in the envelope."""
    body = run("text-embedding-one-text.sh", stand_in)
    assert body["usage"] == {"token_count": 7}
    assert vector_faults(body["result"]["embeddings"][0]["embedding"], TEXTS[1]) == []


def test_text_embedding_of_two_texts(stand_in: Server) -> None:
    """The second curl command gives two, in the order of the texts."""
    rows = run("text-embedding-two-texts.sh", stand_in)["result"]["embeddings"]
    assert [row["index"] for row in rows] == [0, 1]
    for row, text in zip(rows, TEXTS, strict=True):
        assert vector_faults(row["embedding"], text) == []


def test_openai_compatible(stand_in: Server) -> None:
    """The curl command of the document openai-compatible-embeddings works, with its `/chat` and all."""
    body = run("openai-compatible.sh", stand_in)
    assert body["model"] == "ops-text-embedding-001"
    assert vector_faults(body["data"][0]["embedding"], "Search development platform") == []


def test_custom_deployment(stand_in: Server) -> None:
    """The text command of the document custom-deployment-api holds a remark inside its JSON: that is a syntax error."""
    body = run("deployment-text.sh", stand_in)
    assert body["code"] == "InvalidParameter"
    assert body["message"].startswith("JSON parse error:")


def test_custom_deployment_without_the_remark(stand_in: Server) -> None:
    """Without the remark, and with a dimension that the model has, the same command gives two vectors."""
    words = shlex.split(document("deployment-text.sh", stand_in).replace("\\\n", " "))
    words[-1] = words[-1].split('"dimension"')[0] + '"dimension": 256}'
    rows = send_as_curl(words, stand_in)["embeddings"]
    assert [row["index"] for row in rows] == [0, 1]
    assert vector_faults(rows[0]["embedding"], TEXTS[0]) == []


@pytest.mark.parametrize("name", ["deployment-multimodal.sh", "deployment-rerank.sh"])
def test_command_for_another_kind_of_deployment(stand_in: Server, name: str) -> None:
    """A text deployment answers the document's multimodal and rerank commands with an error that says so."""
    assert run(name, stand_in)["code"] == "InvalidParameter"
