"""`alibabacloud-searchplat20240401`: reductions that are trained on the server, and applied with the other client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedway.models.reduction import read_reduction
from tests.reduce.artefacts import rows
from tests.server import Server, serving
from tests.wire.exchange import post

from .conftest import report, run_client

KEY_ID, SECRET = "LTAItest", "a-secret-of-the-tests"
CONFIG = """
tuning_data_dir = "{folder}/data"

[[model]]
name = "m"
source = "fake:8"
"""
WIDTH = 6
VECTORS = rows(400, WIDTH)
REDUCE = """
import json, sys
from alibabacloud_searchplat20240529.client import Client
from alibabacloud_searchplat20240529.models import GetEmbeddingTuningRequest as Request
from alibabacloud_tea_openapi.utils_models import Config

client = Client(Config(bearer_token="any", endpoint=sys.argv[1], protocol="http"))
given = {"input": json.loads(sys.argv[2]), "parameters": {"output_dimension": 3, "model_name": "mine"}}
answer = client.get_embedding_tuning("default", "ops-embedding-dim-reduction-001", Request(**given))
print(json.dumps(answer.body.to_map()))
"""
Found = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data that may be trained on, and a link in it that leads elsewhere."""
    made = tmp_path_factory.mktemp("training")
    (made / "data").mkdir()
    (made / "data" / "texts.jsonl").write_text("".join(f'{{"text": "text {n}"}}\n' for n in range(400)))
    (made / "vectors").write_text("\n".join(json.dumps(row) for row in VECTORS.tolist()))
    (made / "outside.jsonl").write_text('{"text": "a secret"}\n')
    (made / "data" / "link.jsonl").symlink_to(made / "outside.jsonl")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    env = {"EMBEDWAY_ACCESS_KEYS": f"{KEY_ID}:{SECRET}"}
    with serving(folder, config=CONFIG.format(folder=folder), env=env) as started:
        yield started


def ask(server: Server, folder: Path, step: str) -> Found:
    endpoint = server.url.removeprefix("http://")
    arguments = (step, str(folder / "vectors"), endpoint, KEY_ID, SECRET)
    return report("control", *arguments, script="control_training")


@pytest.fixture(scope="module")
def found(server: Server, folder: Path) -> Found:
    """What the client reports of training."""
    return ask(server, folder, "train")


def reduce(server: Server, workspace: str = "default") -> Any:
    path = f"/v3/openapi/workspaces/{workspace}/embedding-tuning/ops-embedding-dim-reduction-001"
    parameters = {"output_dimension": 3, "model_name": "mine"}
    return post(server, path, {"input": VECTORS[:5].tolist(), "parameters": parameters})


@pytest.fixture(scope="module")
def ended(server: Server, folder: Path, found: Found) -> Found:
    """What it reports afterwards, with what was served before and after under `before` and `after`."""
    before, elsewhere = reduce(server), reduce(server, "another")
    printed = run_client(
        "searchplat", "-c", REDUCE, server.url.removeprefix("http://"), json.dumps(VECTORS[:5].tolist())
    )
    (artefact,) = (folder / "embedway" / "reductions" / "default" / "mine").iterdir()
    reduction = read_reduction(artefact)
    wanted = reduction.apply(VECTORS[:5])[:, :3]
    answers = ask(server, folder, "end")
    more = {"before": before.json(), "elsewhere": elsewhere.status, "client": json.loads(printed.splitlines()[-1])}
    left = [str(path) for path in (folder / "embedway" / "reductions" / "default").iterdir()]
    return answers | more | {"wanted": wanted, "card": reduction.card, "after": reduce(server).status, "left": left}


def task(answer: Found) -> Found:
    assert "raised" not in answer, answer
    return dict(answer["result"]["task"])


def test_it_is_made_and_trained(found: Found) -> None:
    """Untrained and unavailable at first; after its task it is available, in its first version."""
    assert (found["create"]["status"], found["create"]["httpCode"]) == ("OK", 200)
    first, last = found["untrained"]["result"], found["done"]["result"]
    assert (first["status"], first["task"]["dagStatus"]) == ("unavailable", "untrained")
    assert (last["status"], last["task"]["dagStatus"], last["versionId"]) == ("available", "success", 1)
    assert last["functionName"] == "embedding-tuning"
    assert last["task"]["lastRunTime"] >= last["createTime"] > 0
    given = {one["name"]: one["value"] for one in last["createParameters"]}
    assert given == {"vectors": "", "output_dimension": "3", "steps": "5", "seed": "1"}
    assert {one["instanceName"] for one in found["list"]["result"]} == {"mine", "texts", "few"}


def test_texts_of_a_file_are_embedded(found: Found) -> None:
    """By the model that is named, in the process that trains."""
    assert task(found["done_texts"])["dagStatus"] == "success"


def test_too_little_data_ends_the_training(found: Found) -> None:
    """As failed; nothing is available."""
    assert task(found["done_few"])["dagStatus"] == "failed"
    assert found["done_few"]["result"]["status"] == "unavailable"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("again", 409, "Conflict"),
        ("update_wrong", 400, "InvalidParameter"),
        ("no_data", 400, "InvalidParameter"),
        ("no_dimension", 400, "InvalidParameter"),
        ("path", 400, "InvalidParameter"),
        ("link", 400, "InvalidParameter"),
        ("absolute", 400, "InvalidParameter"),
        ("base", 404, "model.NotFound"),
        ("name", 400, "InvalidParameter"),
        ("model_type", 400, "InvalidParameter"),
        ("nothing_runs", 409, "Conflict"),
        ("nothing_ceased", 409, "Conflict"),
        ("nobody", 404, "instance.NotFound"),
    ],
)
def test_refusals(found: Found, name: str, status: int, code: str) -> None:
    """The client finds status, code and message in each."""
    refused = found[name]
    assert refused.get("raised") == "ClientException", refused
    assert (refused["status_code"], refused["code"]) == (status, code)
    assert refused["data"]["message"] in refused["message"]


def test_vectors_are_reduced_by_what_was_trained(ended: Found) -> None:
    """By its name, in its workspace alone; the other client finds the same numbers."""
    wanted = ended["wanted"] / np.linalg.norm(ended["wanted"], axis=1, keepdims=True)
    assert np.allclose(ended["before"]["result"]["output"], wanted, atol=1e-6)
    assert ended["client"]["result"] == ended["before"]["result"]
    assert ended["elsewhere"] == 400
    assert (ended["card"].width, ended["card"].dimension, ended["card"].seed) == (WIDTH, 3, 1)


def test_a_training_is_ceased_and_resumed(ended: Found) -> None:
    """While it runs it can neither be started again nor changed; what was ceased has failed."""
    assert task(ended["running"])["dagStatus"] == task(ended["resumed"])["dagStatus"] == "running"
    assert ended["twice"]["status_code"] == ended["busy"]["status_code"] == 409
    assert ended["cease"]["status"] == "OK"
    assert task(ended["ceased"])["dagStatus"] == "failed"


def test_what_is_deleted_is_gone(ended: Found) -> None:
    """With its artefacts, also while it is being trained; its name means nothing any more."""
    assert ended["delete_mine"]["Status"] == "OK"
    assert ended["gone"]["status_code"] == 404
    assert ended["after"] == 400
    assert not [one for one in ended["left"] if one.endswith(("mine", "texts", "few"))]
