"""The vectors of the command are those of the server, on the real model and on one with prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embedway.models.source import find_model
from tests.server import serving
from tests.wire.exchange import post

from .command import run, vectors

TEXTS = ["I believe the meaning of life is", "Grüße, 世界 👋🏽", "a", "word " * 400, "The quick brown fox. " * 9]


def test_command_and_server(tmp_path: Path) -> None:
    """The same texts get the same vectors from both, to the last digits of fp32."""
    own = vectors(run("embed", "--dtype", "fp32", *TEXTS).rows())
    with serving(tmp_path, "--dtype", "fp32") as server:
        rows = post(server, "/v1/embeddings", {"input": TEXTS}).json()["data"]
    theirs = vectors(rows)
    assert own.shape == (len(TEXTS), 384)
    assert np.abs(own - theirs).max() < 1e-6


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model's files, with a prompt for queries."""
    folder = tmp_path_factory.mktemp("prompted")
    source = find_model("all-MiniLM-L6-v2").folder
    for file in source.iterdir():
        (folder / file.name).symlink_to(file)
    config = folder / "config_sentence_transformers.json"
    config.unlink()
    config.write_text('{"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": null}')
    return folder


def test_role(prompted: Path) -> None:
    """--role query puts the model's own prompt before the text; without it the text is a document."""
    model = ["embed", "--dtype", "fp32", "--model", f"m={prompted}"]
    as_query = vectors(run(*model, "--role", "query", "life").rows())
    plain = vectors(run(*model, "query: life", "life").rows())
    assert np.abs(as_query[0] - plain[0]).max() < 1e-6
    assert np.abs(as_query[0] - plain[1]).max() > 1e-2
