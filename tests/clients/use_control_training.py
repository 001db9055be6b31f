"""Train a reduction with the platform's client, unchanged: use_control_training.py STEP VECTORS HOST:PORT ID SECRET.

The step `train` trains and shows what is refused; `end` ceases, resumes and deletes. VECTORS is a file of JSON lines.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from alibabacloud_searchplat20240401 import models as m
from alibabacloud_searchplat20240401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from report import Report

WORKSPACE = "default"
FUNCTION = "embedding-tuning"
MODEL = "ops-embedding-dim-reduction-001"
PATIENCE_S = 60


class Platform:
    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, name: str, model_type: str = MODEL, **parameters: str) -> Any:
        given = [m.CreateFunctionInstanceRequestCreateParameters(name=key, value=parameters[key]) for key in parameters]
        request = m.CreateFunctionInstanceRequest(
            instance_name=name, model_type=model_type, function_type="PAAS", create_parameters=given
        )
        return self._client.create_function_instance(WORKSPACE, FUNCTION, request).body.to_map()

    def get(self, name: str, output: str = "detail") -> Any:
        request = m.GetFunctionInstanceRequest(output=output)
        return self._client.get_function_instance(WORKSPACE, FUNCTION, name, request).body.to_map()

    def list(self) -> Any:
        request = m.ListFunctionInstancesRequest(output="normal")
        return self._client.list_function_instances(WORKSPACE, FUNCTION, request).body.to_map()

    def update(self, name: str, **parameters: str) -> Any:
        given = [m.UpdateFunctionInstanceRequestCreateParameters(name=key, value=parameters[key]) for key in parameters]
        request = m.UpdateFunctionInstanceRequest(description="Changed", create_parameters=given)
        return self._client.update_function_instance(WORKSPACE, FUNCTION, name, request).body.to_map()

    def train(self, name: str) -> Any:
        request = m.CreateFunctionTaskRequest()
        return self._client.create_function_task(WORKSPACE, FUNCTION, name, request).body.to_map()

    def cease(self, name: str) -> Any:
        request = m.CeaseFunctionInstanceRequest()
        return self._client.cease_function_instance(WORKSPACE, FUNCTION, name, request).body.to_map()

    def resume(self, name: str) -> Any:
        request = m.ResumeFunctionInstanceRequest()
        return self._client.resume_function_instance(WORKSPACE, FUNCTION, name, request).body.to_map()

    def delete(self, name: str) -> Any:
        request = m.DeleteFunctionInstanceRequest()
        return self._client.delete_function_instance(WORKSPACE, FUNCTION, name, request).body.to_map()

    def wait(self, name: str, *statuses: str) -> Any:
        """Poll until the task has one of these, and return the last answer."""
        until = time.monotonic() + PATIENCE_S
        while True:
            found = self.get(name)
            if found["result"]["task"]["dagStatus"] in statuses or time.monotonic() > until:
                return found
            time.sleep(0.05)


def train(platform: Platform, report: Report, vectors: str) -> None:
    ask = report.ask
    quick = {"output_dimension": "3", "steps": "5"}
    ask("create", lambda: platform.create("mine", vectors=vectors, **quick))
    ask("again", lambda: platform.create("mine", vectors=vectors, **quick))
    ask("untrained", lambda: platform.get("mine"))
    ask("update", lambda: platform.update("mine", seed="1"))
    ask("update_wrong", lambda: platform.update("mine", seed="many"))
    ask("train", lambda: platform.train("mine"))
    ask("texts", lambda: platform.create("texts", data="texts.jsonl", base_model="m", **quick))
    ask("train_texts", lambda: platform.train("texts"))
    ask("few", lambda: platform.create("few", vectors="[1, 2]\nnonsense\n[3, 4]", output_dimension="1"))
    ask("train_few", lambda: platform.train("few"))
    ask("done", lambda: platform.wait("mine", "success", "failed"))
    ask("done_texts", lambda: platform.wait("texts", "success", "failed"))
    ask("done_few", lambda: platform.wait("few", "success", "failed"))
    ask("list", platform.list)
    ask("no_data", lambda: platform.create("x", output_dimension="3"))
    ask("no_dimension", lambda: platform.create("x", vectors=vectors))
    ask("path", lambda: platform.create("x", data="../embedway.toml", output_dimension="3"))
    ask("link", lambda: platform.create("x", data="link.jsonl", output_dimension="3"))
    ask("absolute", lambda: platform.create("x", data="/etc/passwd", output_dimension="3"))
    ask("base", lambda: platform.create("x", texts='"a"', base_model="nobody", output_dimension="3"))
    ask("name", lambda: platform.create("../x", vectors=vectors, **quick))
    ask("model_type", lambda: platform.create("x", "native", vectors=vectors, **quick))
    ask("nothing_runs", lambda: platform.cease("mine"))
    ask("nothing_ceased", lambda: platform.resume("mine"))
    ask("nobody", lambda: platform.train("nobody"))


def end(platform: Platform, report: Report, vectors: str) -> None:
    ask = report.ask
    ask("long", lambda: platform.create("long", vectors=vectors, output_dimension="3", steps="20000"))
    ask("train", lambda: platform.train("long"))
    ask("running", lambda: platform.wait("long", "running"))
    ask("twice", lambda: platform.train("long"))
    ask("busy", lambda: platform.update("long", seed="1"))
    ask("cease", lambda: platform.cease("long"))
    ask("ceased", lambda: platform.get("long"))
    ask("resume", lambda: platform.resume("long"))
    ask("resumed", lambda: platform.wait("long", "running"))
    for name in ("long", "mine", "texts", "few"):
        ask(f"delete_{name}", lambda name=name: platform.delete(name))
    ask("gone", lambda: platform.get("mine"))


def main(step: str, vectors: str, endpoint: str, key_id: str, secret: str) -> None:
    client = Client(Config(access_key_id=key_id, access_key_secret=secret, endpoint=endpoint, protocol="http"))
    report = Report()
    {"train": train, "end": end}[step](Platform(client), report, Path(vectors).read_text())
    report.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
