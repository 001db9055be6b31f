"""The control plane of the AI Search Open Platform, managed with its vendor's client, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Server, serving
from tests.wire.exchange import post

from .conftest import report

KEY_ID, SECRET = "LTAItest", "a-secret-of-the-tests"
DECLARED = """
[[model]]
name = "m"
source = "fake:8"
aliases = ["ops-text-embedding-002"]
stand_in = true

[[model]]
name = "m2"
source = "fake:8"

[[deployment]]
id = "declared"
model = "m"
token = "a-token"
"""


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an access key, which logs every request."""
    env = {"EMBEDWAY_ACCESS_KEYS": f"{KEY_ID}:{SECRET}"}
    with serving(tmp_path_factory.mktemp("managed"), "--log-level", "debug", config=DECLARED, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def found(managed: Server) -> dict[str, Any]:
    """What the client reports."""
    return report("control", f"127.0.0.1:{managed.port}", KEY_ID, SECRET)


def result(found: dict[str, Any], name: str) -> Any:
    assert "raised" not in found[name], found[name]
    assert found[name]["requestId"]
    return found[name]["result"]


def test_a_workspace(found: dict[str, Any]) -> None:
    """Made, read, described and listed; the default one is there without being made."""
    made = result(found, "ws_create")
    assert (made["name"], made["type"]) == ("acme", "standard")
    assert (made["chargeType"], made["engineType"]) == ("POSTPAY", "rag")
    assert result(found, "ws_get") == made | {"status": "normal"}
    assert result(found, "ws_default")["name"] == "default"
    assert result(found, "ws_update")["description"] == "A shop"
    assert found["ws_list"]["totalCount"] == 2
    assert [one["name"] for one in result(found, "ws_list")] == ["acme"]
    assert [one["name"] for one in result(found, "ws_named")] == ["default"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("ws_again", 409, "Conflict"),
        ("ws_unknown", 404, "workspace.NotFound"),
        ("ws_full", 409, "Conflict"),
        ("ws_gone", 404, "workspace.NotFound"),
        ("key_elsewhere", 404, "credentials.NotFound"),
        ("key_gone", 404, "credentials.NotFound"),
        ("dep_again", 409, "Conflict"),
        ("dep_model", 404, "model.NotFound"),
        ("dep_parameter", 400, "InvalidParameter"),
        ("dep_gone", 404, "instance.NotFound"),
        ("dep_task", 400, "InvalidParameter"),
        ("notebook", 400, "InvalidParameter"),
        ("wrong", 400, "SignatureDoesNotMatch"),
    ],
)
def test_refusals(found: dict[str, Any], name: str, status: int, code: str) -> None:
    """The client finds status, code, message and request id in each."""
    refused = found[name]
    assert refused["raised"] == "ClientException", refused
    assert (refused["status_code"], refused["code"]) == (status, code)
    assert refused["request_id"]
    assert refused["data"]["message"] in refused["message"]


def test_credentials_are_shown_once(found: dict[str, Any]) -> None:
    """The reply that makes a key has it whole; every other has it masked, by whatever it is asked for."""
    made = result(found, "key_create")
    assert re.fullmatch(r"OS-[A-Za-z0-9]{40}", made["token"])
    assert (made["type"], made["enabled"]) == ("api-token", True)
    assert isinstance(made["appGroupId"], int)
    masked = made | {"token": f"{made['token'][:5]}********{made['token'][-4:]}"}
    assert result(found, "key_get") == result(found, "key_masked") == masked
    assert masked in result(found, "key_list")
    assert found["key_list"]["totalCount"] == 2
    assert result(found, "key_dry") == {}
    assert result(found, "key_dry_off")["enabled"] is True
    assert result(found, "key_off")["enabled"] is False
    assert result(found, "key_on")["enabled"] is True


def test_a_token_in_the_path_is_in_no_log(found: dict[str, Any], managed: Server) -> None:
    """Although every request is logged."""
    log = managed.output()
    assert "/credentials/***" in log
    for name in ("key_create", "key_other"):
        assert result(found, name)["token"] not in log
        assert result(found, name)["token"][3:11] not in log


def test_services(found: dict[str, Any]) -> None:
    """The documents' ids with their facts, and whether this server answers them."""
    by_id = {one["serviceId"]: one for one in result(found, "services")}
    served, unserved = by_id["ops-text-embedding-002"], by_id["ops-text-embedding-001"]
    assert (served["serviceType"], served["modelType"]) == ("text-embedding", "system")
    facts = {"dimension": 1024, "maxTokens": 8192, "languages": "100+"}
    assert served["meta"] == facts | {"available": True, "standIn": True}
    assert unserved["meta"]["available"] is False
    assert by_id["m2"]["meta"]["dimension"] == 8
    assert {one["serviceType"] for one in result(found, "services_text")} == {"text-embedding"}
    assert [one["serviceId"] for one in result(found, "services_one")] == ["ops-text-embedding-002"]
    deployed = {one["serviceId"]: one["meta"]["model"] for one in result(found, "dep_services")}
    assert deployed == {"shop": "m2", "own": "m"}


def test_a_deployment(found: dict[str, Any]) -> None:
    """Made, shown as widely as asked, changed, stopped, started and removed."""
    done = found["dep_create"]
    assert (done["status"], done["httpCode"]) == ("OK", 200)
    simple, normal = result(found, "dep_simple"), result(found, "dep_normal")
    assert (simple["instanceName"], simple["functionName"], simple["modelType"]) == ("shop", "deployment", "native")
    assert (simple["source"], simple["status"], simple["createParameters"]) == ("user", "available", [])
    assert parameters(normal) == {"model": "m", "modelCategory": "text-embedding", "token": "********"}
    assert normal["versionId"] == 1
    assert result(found, "dep_detail")["task"]["dagStatus"] == "success"
    assert parameters(result(found, "dep_updated"))["model"] == "m2"
    assert result(found, "dep_updated")["description"] == "The shop's"
    assert result(found, "dep_ceased")["status"] == "unavailable"
    assert found["dep_resume"]["status"] == "OK"
    assert found["dep_delete"]["Status"] == "OK"
    assert found["dep_delete"]["RequestId"]
    assert [one["instanceName"] for one in result(found, "dep_list")] == ["own"]
    assert found["dep_list"]["totalCount"] == 2
    assert result(found, "dep_builtin") == []


def test_a_minted_token_is_shown_by_the_first_detail(found: dict[str, Any]) -> None:
    """And never again."""
    assert re.fullmatch(r"DT-[A-Za-z0-9]{40}", parameters(result(found, "dep_detail"))["token"])
    assert parameters(result(found, "dep_detail_again"))["token"] == "********"


def test_an_empty_workspace_is_removed(found: dict[str, Any]) -> None:
    """Once its keys and deployments are gone."""
    assert result(found, "ws_delete")["instanceId"] == "acme"


def test_the_first_key_closed_the_server(found: dict[str, Any], managed: Server) -> None:
    """It was open; the keys that were made keep it closed, though all are revoked."""
    assert result(found, "key_create")
    assert post(managed, "/v1/embeddings", {"model": "m", "input": "a"}).status == 401


def parameters(shown: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in shown["createParameters"]}
