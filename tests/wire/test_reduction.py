"""A model behind a trained reduction on every route, and vectors that callers bring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reduce.artefacts import rotation
from tests.server import Server

from .configs import TOKEN
from .errors import vendor_refusal
from .exchange import Answer, get, post

TUNING = "/v3/openapi/workspaces/default/embedding-tuning/ops-embedding-dim-reduction-001"


def vectors(server: Server, model: str, **more: Any) -> list[np.ndarray]:
    answer = post(server, "/v1/embeddings", {"model": model, "input": ["a", "b"], **more})
    assert answer.status == 200, answer.body
    return [np.array(row["embedding"]) for row in answer.json()["data"]]


def tune(server: Server, given: Any, slash: str = "", **parameters: Any) -> Answer:
    return post(server, TUNING + slash, {"input": given, "parameters": parameters})


def refused(answer: Answer) -> str:
    """The message of a parameter that is refused."""
    found = vendor_refusal(answer, 400)
    assert found.code == "InvalidParameter"
    return found.message


def cut(vector: np.ndarray, length: int) -> np.ndarray:
    return vector[:length] / np.linalg.norm(vector[:length])


@pytest.mark.parametrize("length", [None, 1, 6, 15, 16])
def test_openai_gives_any_length(reduced: Server, length: int | None) -> None:
    """The artefact's own if none is asked for; what comes is the base's vectors through the map, cut, of length 1."""
    more = {} if length is None else {"dimensions": length}
    for found, whole in zip(vectors(reduced, "small", **more), vectors(reduced, "plain"), strict=True):
        assert np.allclose(found, cut(rotation(16) @ whole, length or 6), atol=1e-6)


@pytest.mark.parametrize("length", [17, -1])
def test_openai_refuses_more_than_the_base_has(reduced: Server, length: int) -> None:
    """400 with the range, in OpenAI's words."""
    answer = post(reduced, "/v1/embeddings", {"model": "small", "input": "a", "dimensions": length})
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "dimensions"
    assert "1 to 16" in answer.json()["error"]["message"] or length < 0


def test_models_list_the_native_length(reduced: Server) -> None:
    """Six dimensions of the reduced model, sixteen of its base."""
    rows = {row["id"]: row["dimensions"] for row in get(reduced, "/v1/models").json()["data"]}
    assert rows == {"small": 6, "plain": 16}


@pytest.mark.parametrize("length", [None, 1, 6, 16])
def test_a_deployment_honours_dimension(reduced: Server, length: int | None) -> None:
    """Of a customised model, as the document says; nothing is ignored."""
    body = {"input": "a"} | ({} if length is None else {"dimension": length})
    answer = post(reduced, "/v3/openapi/deployments/dep-small/predict", body, headers={"Token": TOKEN})
    assert answer.status == 200
    assert "x-embedway-ignored" not in answer.headers
    wanted = cut(rotation(16) @ vectors(reduced, "plain")[0], length or 6)
    assert np.allclose(answer.json()["embeddings"][0]["embedding"], wanted, atol=1e-6)


@pytest.mark.parametrize("length", [0, 17])
def test_a_deployment_refuses_more_than_the_foundation_model_has(reduced: Server, length: int) -> None:
    """With the document's error."""
    body = {"input": "a", "dimension": length}
    answer = post(reduced, "/v3/openapi/deployments/dep-small/predict", body, headers={"Token": TOKEN})
    assert "between 1 and 16" in refused(answer)


@pytest.mark.parametrize("slash", ["", "/"])
def test_vectors_that_callers_bring_are_made_shorter(reduced: Server, slash: str) -> None:
    """In the platform's envelope, parallel to the input; with the slash of the vendor's sample too."""
    given = [[0.1, 0.2, 0.3, 0.4], [5.0, 0.0, 0.0, 0.0], [1e300, 2e300, 0.0, 0.0]]
    answer = tune(reduced, given, slash, model_name="my-model", output_dimension=2)
    assert answer.status == 200
    body = answer.json()
    assert list(body) == ["request_id", "latency", "usage", "result"]
    assert body["usage"] == {"doc_count": 3}
    assert answer.headers["x-acs-request-id"] == body["request_id"]
    for found, one in zip(body["result"]["output"], given, strict=True):
        assert np.allclose(found, cut(rotation(4) @ (np.array(one) / max(one)), 2), atol=1e-6)


def test_512_is_given_if_nothing_is_asked_for_and_never_more_than_there_is(reduced: Server) -> None:
    """The documented default; a reduction of 4 numbers gives 4."""
    assert len(tune(reduced, [[1.0] * 600], model_name="wide").json()["result"]["output"][0]) == 512
    assert len(tune(reduced, [[1.0] * 4], model_name="my-model").json()["result"]["output"][0]) == 4


def test_a_model_behind_a_reduction_lends_it(reduced: Server) -> None:
    """Its name is a name of the reduction too."""
    found = tune(reduced, [[1.0] + [0.0] * 15], model_name="small", output_dimension=3).json()["result"]["output"][0]
    assert np.allclose(found, cut(rotation(16)[:, 0], 3), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "parameters", "said"),
    [
        ([[1.0] * 4], {"model_name": "nobody's"}, "There is no trained reduction 'nobody's'"),
        ([[1.0] * 4], {"model_name": "plain"}, "There is no trained reduction 'plain'"),
        ([[1.0] * 4], {}, "model_name, the name of a trained reduction, is required"),
        ([[1.0] * 4], {"model_name": "my-model", "output_dimension": 5}, "between 1 and 4"),
        ([[1.0] * 4], {"model_name": "my-model", "output_dimension": 0}, "between 1 and 4"),
        ([[1.0] * 4, [1.0] * 3], {"model_name": "my-model"}, "vectors of 4 numbers, not of 3. (input[1])"),
        ([[1.0] * 4, [0.0] * 4], {"model_name": "my-model"}, "has no direction"),
        ([], {"model_name": "my-model"}, "at least one vector"),
        ("text", {"model_name": "my-model"}, "input"),
        ([["a"]], {"model_name": "my-model"}, "input"),
    ],
)
def test_wrong_vectors_are_refused(reduced: Server, given: Any, parameters: dict[str, Any], said: str) -> None:
    """With the platform's error."""
    assert said in refused(tune(reduced, given, **parameters))


def test_another_service_does_not_exist(reduced: Server) -> None:
    """400, as the platform's table says."""
    body = {"input": [[1.0] * 4], "parameters": {"model_name": "my-model"}}
    assert vendor_refusal(post(reduced, TUNING + "-x", body), 400).code == "ServiceIdNotExist"
