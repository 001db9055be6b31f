"""`alibabacloud-searchengine20211025`, unchanged: all six actions, signed with an access key, and with an admin key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends.services import Misbehaving, misbehaving
from tests.server import Server, serving
from tests.wire.registry import ADMIN, REGISTRY

from .conftest import report

Report = dict[str, Any]
KEY_ID, SECRET = "LTAItest", "a-secret-of-the-tests"


@pytest.fixture(scope="module")
def service() -> Iterator[Misbehaving]:
    with misbehaving() as running:
        yield running


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = {"EMBEDWAY_ACCESS_KEYS": f"{KEY_ID}:{SECRET}"}
    with serving(tmp_path_factory.mktemp("registry"), config=REGISTRY, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def both(registry: Server, service: Misbehaving) -> Report:
    """What the client reports, in both ways of proving who it is."""
    return report("searchengine", registry.url.removeprefix("http://"), service.url, KEY_ID, SECRET, ADMIN)


@pytest.fixture(params=["signed", "bearer"])
def found(request: pytest.FixtureRequest, both: Report) -> Report:
    return dict(both[request.param])


def done(answer: dict[str, Any]) -> None:
    assert answer["status"] == 200, answer
    assert answer["requestId"] == answer["header_id"]


def test_create(found: Report) -> None:
    """With the client's own types; a dry run first."""
    done(found["dry_run"])
    done(found["create"])


def test_get(found: Report, service: Misbehaving) -> None:
    """The client reads all of it: what it wrote, the secret masked, the dimension beside the content."""
    done(found["get"])
    shown = found["get"]["result"]
    assert (shown["type"], shown["status"], shown["dimension"], shown["url"]) == (
        "text_embedding",
        "ok",
        2,
        service.url,
    )
    content = shown["content"]
    assert (content["modelName"], content["modelType"], content["method"]) == (shown["name"], "text_embedding", "POST")
    assert content["request"]["header"] == {
        "Authorization": "Bearer OS-v0********6vvs",
        "Content-Type": "application/json",
    }
    assert content["request"]["urlParams"] == {"build": {"a": "b", "n": 1}, "search": {}}
    assert content["request"]["parameters"]["search"] == {"input_type": "query"}
    assert content["response"] == {"embeddings": "$.result.embeddings[*].embedding"}


def test_list(found: Report) -> None:
    """By name and type; the endpoint may be given with a scheme and a slash."""
    done(found["list"])
    assert (found["list"]["totalCount"], len(found["list"]["result"])) == (1, 1)
    assert found["list"]["result"][0] == found["get"]["result"]
    assert found["scheme"]["totalCount"] == 0


def test_debug(found: Report, service: Misbehaving) -> None:
    """In both phases, with their parameters."""
    done(found["debug"])
    done(found["debug_build"])
    asked = [(one.json()["input_type"], one.path) for one in service.asked if one.json()["input"] == ["hello"]]
    assert ("query", "/embed") in asked
    assert ("document", "/embed?a=b&n=1") in asked


def test_modify(found: Report) -> None:
    """What Get gave can be put back; a model is forbidden."""
    done(found["put_back"])
    done(found["modify"])
    assert found["get_forbidden"]["result"]["status"] == "forbidden"


def test_delete(found: Report) -> None:
    """200 with a body: the client could not read 204."""
    done(found["delete"])
    assert found["get_gone"]["code"] == "model.NotFound"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("create_again", 409, "model.AlreadyExists"),
        ("create_nowhere", 404, "instance.NotFound"),
        ("create_wrong", 400, "model.InvalidParameter"),
        ("list_wrong", 400, "model.InvalidParameter"),
        ("modify_wrong", 400, "model.InvalidParameter"),
        ("modify_moved", 400, "model.SecretRequired"),
        ("get_gone", 404, "model.NotFound"),
    ],
)
def test_refusals(found: Report, name: str, status: int, code: str) -> None:
    """The client's own exception has status, code, message and request id."""
    error = found[name]
    assert error["raised"] == "ClientException", error
    assert (error["status_code"], error["code"]) == (status, code)
    assert error["message"]
    assert error["request_id"]


def test_strangers(both: Report) -> None:
    """The gateway's code for an unknown access key; Embedway's own for an unknown bearer."""
    signed, bearer = both["signed"], both["bearer"]
    assert (signed["stranger"]["status_code"], signed["stranger"]["code"]) == (404, "InvalidAccessKeyId.NotFound")
    assert (bearer["stranger"]["status_code"], bearer["stranger"]["code"]) == (401, "InvalidApiKey")
