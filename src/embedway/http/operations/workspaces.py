"""The operations of the AI Search Open Platform's control plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from embedway.http.dialects import platform
from embedway.http.dialects.functions import DEPLOYMENT, NATIVE, OUTPUTS, Functions
from embedway.http.dialects.instances import MAX_PAGE, MAX_PAGES, PAGE_SIZE, Done
from embedway.http.dialects.offered import Services
from embedway.http.dialects.workspaces import API_TOKEN, Credentials, Workspaces
from embedway.http.operation import Answer, Operation
from embedway.http.operations.instances import FLAG
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


_TEXT = {"type": "string"}
_PAGES = {
    "pageNumber": {"type": "integer", "minimum": 1, "maximum": MAX_PAGES, "description": "Which page. Default: 1."},
    "pageSize": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "description": f"Default: {PAGE_SIZE}."},
}
_DRY_RUN = {"dryRun": FLAG | {"description": "`true`: check, and change nothing."}}
_OUTPUT = {"output": {"enum": list(OUTPUTS), "description": "How much to tell. Default: normal."}}
_QUERIES: Mapping[str, Mapping[str, Any]] = {
    "ListWorkspaces": {
        "name": _TEXT | {"description": "Only the one of this name."},
        "type": _TEXT | {"description": "Only those of this type."},
        "instanceId": _TEXT | {"description": "Only the one of this id, which is its name."},
        "sortBy": _TEXT | {"description": "1: the last changed first; anything else: the newest first."},
        **_PAGES,
    },
    "ListServices": {
        "serviceId": _TEXT | {"description": "Only this one."},
        "name": _TEXT | {"description": "Only those whose name holds this."},
        "serviceType": _TEXT | {"description": "Only those of this type, such as text-embedding."},
        "modelType": {"enum": ["system", "deployment"], "description": "Only those of the platform, or deployments."},
    },
    "CreateCredentials": _DRY_RUN,
    "ListCredentials": {"keyword": _TEXT | {"description": "A part of the masked key or of its id."}, **_PAGES},
    "UpdateCredentials": _DRY_RUN,
    "ListFunctionInstances": {
        **_OUTPUT,
        "source": {
            "enum": ["builtin", "user", "all"],
            "description": "Those of the configuration, of the database, or all. Default: user.",
        },
        "functionType": _TEXT | {"description": "Only those of this type."},
        "modelType": _TEXT | {"description": "Only those of this model type."},
        **_PAGES,
    },
    "GetFunctionInstance": _OUTPUT,
}
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
        query=_QUERIES.get(name, {}),
    )
