"""--stand-in: the bundled model answers for the vendor's six text models, and every answer says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server import Server, refusal

from .configs import MODEL
from .exchange import get, post
from .test_opensearch_errors import KNOWN


@pytest.mark.parametrize("service", KNOWN)
def test_known_ids_are_answered(stand_in: Server, service: str) -> None:
    """Each of the six ids is served on every route, with the header that names the stand-in."""
    path = f"/v3/openapi/workspaces/default/text-embedding/{service}"
    for answer in (
        post(stand_in, path, {"input": "hi"}),
        post(stand_in, "/compatible-mode/v1/embeddings", {"model": service, "input": "hi"}),
        post(stand_in, "/v1/embeddings", {"model": service, "input": "hi"}),
    ):
        assert answer.status == 200
        assert MODEL in answer.headers["x-embedway-stand-in"]


def test_header_is_absent_without_a_stand_in(keyed: Server) -> None:
    """A model that answers under a name of its own is no stand-in."""
    answer = post(keyed, "/v1/embeddings", {"model": MODEL, "input": "hi"}, key="OS-testkey")
    assert "x-embedway-stand-in" not in answer.headers


def test_other_ids_stay_unknown(stand_in: Server) -> None:
    """Only the six ids are served."""
    answer = post(stand_in, "/v3/openapi/workspaces/default/text-embedding/ops-text-embedding-003", {"input": "a"})
    assert answer.status == 400
    assert answer.json()["code"] == "ServiceIdNotExist"


def test_configured_models_are_listed(stand_in: Server) -> None:
    """The models of the configuration are still there."""
    assert {MODEL, "acme/minilm"} <= {row["id"] for row in get(stand_in, "/v1/models").json()["data"]}


@pytest.mark.parametrize("place", ["name", "alias"])
def test_known_id_on_another_model_is_refused(tmp_path: Path, place: str) -> None:
    """Without stand-in, a model of 384 dimensions may not answer under an id that promises 1024."""
    name, alias = (KNOWN[3], "mini") if place == "name" else ("mini", KNOWN[3])
    config = f'[[model]]\nname = "{name}"\nsource = "{MODEL}"\naliases = ["{alias}"]\n'
    said = refusal(tmp_path, config=config)
    assert KNOWN[3] in said
    assert "384" in said
    assert "1024" in said
