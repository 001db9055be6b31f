"""The list of models, and one of it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.server import Server

from .configs import MODEL
from .errors import openai_refusal
from .exchange import KEY, get, post, send


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_list(plain: Server, path: str) -> None:
    """Without a configuration there is one model, the bundled one; with and without `/v1`."""
    listed = get(plain, path).json()
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == [MODEL]


def test_row_types(plain: Server) -> None:
    """A row carries the fields of both dialects, exactly typed: strict clients raise on anything else."""
    row = get(plain, "/v1/models").json()["data"][0]
    assert row["object"] == "model"
    assert row["owned_by"] == "infinity"
    assert type(row["created"]) is int
    assert row["created"] > 1_600_000_000
    assert isinstance(row["backend"], str)
    assert row["backend"]
    assert row["capabilities"] == ["embed"]
    assert {name: type(row["stats"][name]) for name in ("queue_absolute", "results_pending", "batch_size")} == {
        "queue_absolute": int,
        "results_pending": int,
        "batch_size": int,
    }
    assert 0 <= row["stats"]["queue_fraction"] <= 1


def test_row_shows_the_precision(plain: Server) -> None:
    """The dtype in use is shown, so that a mixed fleet can be told apart."""
    assert get(plain, "/v1/models").json()["data"][0]["dtype"] == "fp32"


def test_list_keeps_the_order_of_the_configuration(keyed: Server) -> None:
    """Models stand in the order of the file, each followed by its aliases: what can be asked for can be listed."""
    names = [row["id"] for row in get(keyed, "/v1/models", key=KEY).json()["data"]]
    assert names == [MODEL, "text-embedding-3-large", "m", "acme/minilm"]


@pytest.mark.parametrize("prefix", ["/v1/models/", "/models/"])
@pytest.mark.parametrize("name", [MODEL, "acme/minilm", "text-embedding-3-large"])
def test_retrieve(keyed: Server, prefix: str, name: str) -> None:
    """A model is found by its name or alias, a slash in it sent as %2F."""
    answer = get(keyed, prefix + quote(name, safe=""), key=KEY)
    assert answer.status == 200
    row = answer.json()
    assert row["object"] == "model"
    assert row["owned_by"] == "infinity"
    assert row["id"] in (name, MODEL)


def test_name_with_a_slash_is_served(keyed: Server) -> None:
    """A model whose name holds a slash embeds under that name."""
    answer = post(keyed, "/v1/embeddings", {"model": "acme/minilm", "input": "hi"}, key=KEY)
    assert answer.json()["model"] == "acme/minilm"


@pytest.mark.parametrize("name", ["no-such-model", "acme%2Fother", "%00", "..", "%F0%9F%A6%99"])
def test_retrieve_unknown(keyed: Server, name: str) -> None:
    """An unknown model is 404 `model_not_found`."""
    assert openai_refusal(get(keyed, f"/v1/models/{name}", key=KEY), 404).code == "model_not_found"


@pytest.mark.parametrize("path", ["/v1/models", "/models", f"/v1/models/{MODEL}"])
def test_wrong_method(plain: Server, path: str) -> None:
    """Models are only read here: anything else is 405."""
    answer = send(plain, "POST", path, {})
    openai_refusal(answer, 405)
    assert "GET" in answer.headers["allow"]
