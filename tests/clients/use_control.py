"""Manage the AI Search Open Platform with its vendor's client, unchanged: python use_control.py HOST:PORT ID SECRET."""

from __future__ import annotations

import sys
from typing import Any

from alibabacloud_searchplat20240401 import models as m
from alibabacloud_searchplat20240401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from report import Report

WORKSPACE = "acme"


def body(answer: Any) -> Any:
    return answer.body.to_map()


def manage_workspaces(client: Client, report: Report) -> None:
    new = m.CreateWorkspaceRequest(name=WORKSPACE, type="standard", charge_type="POSTPAY", engine_type="rag")
    change = m.UpdateWorkspaceRequest(description="A shop")
    report.ask("ws_create", lambda: body(client.create_workspace(new)))
    report.ask("ws_again", lambda: body(client.create_workspace(new)))
    report.ask("ws_get", lambda: body(client.get_workspace(WORKSPACE, m.GetWorkspaceRequest())))
    report.ask("ws_default", lambda: body(client.get_workspace("default", m.GetWorkspaceRequest())))
    report.ask("ws_update", lambda: body(client.update_workspace(WORKSPACE, change)))
    report.ask("ws_list", lambda: body(client.list_workspaces(m.ListWorkspacesRequest(page_number=1, page_size=1))))
    report.ask("ws_named", lambda: body(client.list_workspaces(m.ListWorkspacesRequest(name="default"))))
    report.ask("ws_unknown", lambda: body(client.get_workspace("nowhere", m.GetWorkspaceRequest())))


def manage_credentials(client: Client, report: Report) -> None:
    new = m.CreateCredentialsRequest(type="api-token")
    dry = m.CreateCredentialsRequest(type="api-token", dry_run=True)
    report.ask("key_dry", lambda: body(client.create_credentials(WORKSPACE, dry)))
    report.ask("key_create", lambda: body(client.create_credentials(WORKSPACE, new)))
    report.ask("key_other", lambda: body(client.create_credentials(WORKSPACE, new)))
    token = report.answers["key_create"]["result"]["token"]
    other = report.answers["key_other"]["result"]["token"]
    report.ask("key_list", lambda: body(client.list_credentials(WORKSPACE, m.ListCredentialsRequest())))
    report.ask("key_get", lambda: body(client.get_credentials(token, WORKSPACE, m.GetCredentialsRequest())))
    masked = f"{token[:5]}********{token[-4:]}"
    report.ask("key_masked", lambda: body(client.get_credentials(masked, WORKSPACE, m.GetCredentialsRequest())))
    report.ask("key_elsewhere", lambda: body(client.get_credentials(token, "default", m.GetCredentialsRequest())))

    def switch(enabled: bool, dry_run: bool | None = None) -> Any:
        request = m.UpdateCredentialsRequest(enabled=enabled, dry_run=dry_run)
        return body(client.update_credentials(token, WORKSPACE, request))

    report.ask("key_dry_off", lambda: switch(False, dry_run=True))
    report.ask("key_off", lambda: switch(False))
    report.ask("key_on", lambda: switch(True))
    report.ask("key_delete", lambda: body(client.delete_credentials(other, WORKSPACE, m.DeleteCredentialsRequest())))
    report.ask("key_gone", lambda: body(client.get_credentials(other, WORKSPACE, m.GetCredentialsRequest())))


def delete_last_key(client: Client, report: Report) -> Any:
    token = report.answers["key_create"]["result"]["token"]
    return body(client.delete_credentials(token, WORKSPACE, m.DeleteCredentialsRequest()))


def manage_services(client: Client, report: Report) -> None:
    def services(**given: str) -> Any:
        return body(client.list_services(WORKSPACE, m.ListServicesRequest(**given)))

    report.ask("services", services)
    report.ask("services_text", lambda: services(model_type="system", service_type="text-embedding"))
    report.ask("services_one", lambda: services(service_id="ops-text-embedding-002"))


def manage_deployments(client: Client, report: Report) -> None:
    def create(name: str, function: str = "deployment", model_type: str = "native", **parameters: str) -> Any:
        given = [m.CreateFunctionInstanceRequestCreateParameters(name=key, value=parameters[key]) for key in parameters]
        request = m.CreateFunctionInstanceRequest(
            instance_name=name, model_type=model_type, function_type="PAAS", create_parameters=given
        )
        return body(client.create_function_instance(WORKSPACE, function, request))

    def get(name: str, output: str) -> Any:
        request = m.GetFunctionInstanceRequest(output=output)
        return body(client.get_function_instance(WORKSPACE, "deployment", name, request))

    def each(**given: Any) -> Any:
        request = m.ListFunctionInstancesRequest(**given)
        return body(client.list_function_instances(WORKSPACE, "deployment", request))

    def delete(name: str) -> Any:
        request = m.DeleteFunctionInstanceRequest()
        return body(client.delete_function_instance(WORKSPACE, "deployment", name, request))

    where = (WORKSPACE, "deployment", "shop")
    report.ask("dep_create", lambda: create("shop", model="m", modelCategory="text-embedding"))
    report.ask("dep_own", lambda: create("own", model="m", token="a-token-of-our-own"))
    report.ask("dep_again", lambda: create("shop", model="m"))
    report.ask("dep_model", lambda: create("other", model="no-such-model"))
    report.ask("dep_parameter", lambda: create("other", model="m", color="red"))
    report.ask("dep_simple", lambda: get("shop", "simple"))
    report.ask("dep_normal", lambda: get("shop", "normal"))
    report.ask("dep_detail", lambda: get("shop", "detail"))
    report.ask("dep_detail_again", lambda: get("shop", "detail"))
    report.ask("dep_list", lambda: each(output="simple", page_number=2, page_size=1))
    report.ask("dep_builtin", lambda: each(source="builtin"))
    change = m.UpdateFunctionInstanceRequest(
        description="The shop's",
        create_parameters=[m.UpdateFunctionInstanceRequestCreateParameters(name="model", value="m2")],
    )
    report.ask("dep_update", lambda: body(client.update_function_instance(*where, change)))
    report.ask("dep_updated", lambda: get("shop", "normal"))
    report.ask("dep_cease", lambda: body(client.cease_function_instance(*where, m.CeaseFunctionInstanceRequest())))
    report.ask("dep_ceased", lambda: get("shop", "simple"))
    report.ask("dep_resume", lambda: body(client.resume_function_instance(*where, m.ResumeFunctionInstanceRequest())))
    report.ask("dep_task", lambda: body(client.create_function_task(*where, m.CreateFunctionTaskRequest())))
    report.ask("ws_full", lambda: body(client.delete_workspace(WORKSPACE, m.DeleteWorkspaceRequest())))
    deployed = m.ListServicesRequest(model_type="deployment")
    report.ask("dep_services", lambda: body(client.list_services(WORKSPACE, deployed)))
    report.ask("dep_delete", lambda: delete("shop"))
    report.ask("dep_gone", lambda: get("shop", "simple"))
    report.ask("own_delete", lambda: delete("own"))
    report.ask("key_last", lambda: delete_last_key(client, report))
    report.ask("ws_delete", lambda: body(client.delete_workspace(WORKSPACE, m.DeleteWorkspaceRequest())))
    report.ask("ws_gone", lambda: body(client.get_workspace(WORKSPACE, m.GetWorkspaceRequest())))
    report.ask("notebook", lambda: create("t", "notebook", "dsw"))


def main(endpoint: str, key_id: str, secret: str) -> None:
    client = Client(Config(access_key_id=key_id, access_key_secret=secret, endpoint=endpoint, protocol="http"))
    report = Report()
    manage_workspaces(client, report)
    manage_credentials(client, report)
    manage_services(client, report)
    manage_deployments(client, report)
    wrong = Client(Config(access_key_id=key_id, access_key_secret="wrong", endpoint=endpoint, protocol="http"))
    report.ask("wrong", lambda: body(wrong.get_workspace(WORKSPACE, m.GetWorkspaceRequest())))
    report.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
