"""The operations of the AI Search Open Platform's control plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from embedway.http.dialects import platform
from embedway.http.dialects.functions import DEPLOYMENT, NATIVE, Functions
from embedway.http.dialects.instances import Done
from embedway.http.dialects.offered import Services
from embedway.http.dialects.workspaces import API_TOKEN, Credentials, Workspaces
from embedway.http.operation import Answer, Operation
from embedway.http.operations.parts import PLATFORM, Parts

_ALL = "/openapi/platform/workspaces"
_ONE = f"{_ALL}/{{workspace}}"
_KEYS = f"{_ONE}/credentials"
_KEY = f"{_KEYS}/{{token}}"
_FUNCTIONS = f"{_ONE}/functions/{{function}}/instances"
_FUNCTION = f"{_FUNCTIONS}/{{name}}"


def workspaces(parts: Parts) -> Sequence[Operation]:
    """On workspaces, and what they offer."""
    answers = Workspaces(parts.tenancy)
    new = {"name": "acme", "type": "standard", "chargeType": "POSTPAY", "engineType": "rag"}
    one, many = platform.WorkspaceReply, platform.WorkspacesReply
    return [
        _operation("CreateWorkspace", "POST", _ALL, answers.create, one, platform.CreateWorkspaceBody, new),
        _operation("ListWorkspaces", "GET", _ALL, answers.list, many),
        _operation("GetWorkspace", "GET", _ONE, answers.get, one),
        _operation(
            "UpdateWorkspace", "PUT", _ONE, answers.update, one, platform.UpdateWorkspaceBody, {"description": "Shop"}
        ),
        _operation("DeleteWorkspace", "DELETE", _ONE, answers.delete, platform.RemovedReply),
        _operation("ListServices", "GET", f"{_ONE}/services", Services(parts.tenancy), platform.ServicesReply),
    ]


def credentials(parts: Parts) -> Sequence[Operation]:
    """On the API keys of a workspace."""
    answers = Credentials(parts.tenancy)
    one, many = platform.CredentialsReply, platform.CredentialsList
    new, switch = {"type": API_TOKEN}, {"enabled": False}
    return [
        _operation("CreateCredentials", "POST", _KEYS, answers.create, one, platform.CreateCredentialsBody, new),
        _operation("ListCredentials", "GET", _KEYS, answers.list, many),
        _operation("GetCredentials", "GET", _KEY, answers.get, one),
        _operation("UpdateCredentials", "PUT", _KEY, answers.update, one, platform.UpdateCredentialsBody, switch),
        _operation("DeleteCredentials", "DELETE", _KEY, answers.delete, Done),
    ]


def functions(parts: Parts) -> Sequence[Operation]:
    """On custom deployments."""
    answers = Functions(parts.tenancy)
    new = {
        "instanceName": "shop",
        "modelType": NATIVE,
        "functionType": "PAAS",
        "createParameters": [{"name": "model", "value": "all-MiniLM-L6-v2"}],
    }
    change = {"description": f"A {DEPLOYMENT} for the shop"}
    one, many, done = platform.FunctionReply, platform.FunctionsReply, platform.Outcome
    return [
        _operation(
            "CreateFunctionInstance", "POST", _FUNCTIONS, answers.create, done, platform.CreateFunctionBody, new
        ),
        _operation("ListFunctionInstances", "GET", _FUNCTIONS, answers.list, many),
        _operation("GetFunctionInstance", "GET", _FUNCTION, answers.get, one),
        _operation(
            "UpdateFunctionInstance", "PUT", _FUNCTION, answers.update, done, platform.UpdateFunctionBody, change
        ),
        _operation("DeleteFunctionInstance", "DELETE", _FUNCTION, answers.delete, platform.PascalOutcome),
        _operation("CreateFunctionTask", "POST", f"{_FUNCTION}/tasks", answers.train, done),
        _operation("CeaseFunctionInstance", "POST", f"{_FUNCTION}/actions/cease", answers.cease, done),
        _operation("ResumeFunctionInstance", "POST", f"{_FUNCTION}/actions/resume", answers.resume, done),
    ]


_SUMMARIES = {
    "CreateWorkspace": "Make a workspace",
    "ListWorkspaces": "The workspaces, in pages",
    "GetWorkspace": "One workspace",
    "UpdateWorkspace": "Describe a workspace",
    "DeleteWorkspace": "Remove an empty workspace",
    "ListServices": "What is offered by service id, and the workspace's deployments",
    "CreateCredentials": "Make an API key of a workspace, shown this once",
    "ListCredentials": "The API keys of a workspace, masked",
    "GetCredentials": "One API key, masked",
    "UpdateCredentials": "Disable or enable an API key",
    "DeleteCredentials": "Revoke an API key",
    "CreateFunctionInstance": "Make a custom deployment",
    "ListFunctionInstances": "The custom deployments, in pages",
    "GetFunctionInstance": "One custom deployment; its token too, once, where the server made it",
    "UpdateFunctionInstance": "Change a custom deployment's model, token or description",
    "DeleteFunctionInstance": "Remove a custom deployment",
    "CreateFunctionTask": "Refused: a deployment is not trained",
    "CeaseFunctionInstance": "Stop a custom deployment",
    "ResumeFunctionInstance": "Start a custom deployment again",
}


def _operation(
    name: str,
    method: str,
    path: str,
    answer: Answer,
    reply_type: Any,
    body_type: type[msgspec.Struct] | None = None,
    example: Any = None,
) -> Operation:
    return Operation(
        name=name,
        dialect=PLATFORM,
        method=method,
        paths=(path,),
        answer=answer,
        summary=f"{_SUMMARIES[name]} (AI Search Open Platform)",
        reply_type=reply_type,
        body_type=body_type,
        action=f"searchplat:{name}",
        resource="workspace",
        example=example,
    )
