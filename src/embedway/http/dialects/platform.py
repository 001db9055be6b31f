"""The control plane of the AI Search Open Platform: its bodies, its envelopes, its errors.

Source: what the vendor's Python SDK of API version 2024-04-01 sends and reads. Names are in camel case, but for the
reply of DeleteFunctionInstance, which is in Pascal case there. `dryRun` comes as Python writes it, True or False. The
pages list no codes of errors; the dotted ones follow the sample of the sibling API, `instance.NotFound`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from embedway.errors import (
    Conflict,
    DeploymentNotFound,
    EmbedwayError,
    InvalidInput,
)
from embedway.http.dialects.instances import CODES, Instances
from embedway.http.exchange import Exchange
from embedway.store.actor import Actor


class Platform(Instances):
    """How the platform's control plane words errors."""

    name = "platform"
    codes: Mapping[type[EmbedwayError], tuple[int, str]] = {
        **CODES,
        InvalidInput: (400, "InvalidParameter"),
        Conflict: (409, "Conflict"),
        DeploymentNotFound: (404, "instance.NotFound"),
    }


class CreateWorkspaceBody(msgspec.Struct, rename="camel"):
    """Billing and size mean nothing here; they are kept and shown."""

    name: str
    type: str = "standard"
    charge_type: str = "POSTPAY"
    engine_type: str = "rag"
    quota: dict[str, Any] | None = None


class UpdateWorkspaceBody(msgspec.Struct, rename="camel"):
    description: str = ""
    resource_group_id: str | None = None


class WorkspaceShown(msgspec.Struct, rename="camel", omit_defaults=True):
    """A workspace. Its keys are its credentials: `apiToken` is never told."""

    id: str
    name: str
    type: str
    charge_type: str
    engine_type: str
    description: str
    status: str
    instance_id: str
    quota: dict[str, Any] | None = None
    create_time: int | None = None


class WorkspaceReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: WorkspaceShown


class WorkspacesReply(msgspec.Struct, rename="camel"):
    request_id: str
    total_count: int
    result: list[WorkspaceShown]


class Removed(msgspec.Struct, rename="camel"):
    instance_id: str


class RemovedReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: Removed


class CreateCredentialsBody(msgspec.Struct):
    type: str = "api-token"


class UpdateCredentialsBody(msgspec.Struct):
    enabled: bool


class CredentialsShown(msgspec.Struct, rename="camel", omit_defaults=True):
    """A key of the workspace. `token` is whole in the reply that makes it, and masked ever after; `id` names it. A dry
    run shows nothing.
    """

    id: str | msgspec.UnsetType = msgspec.UNSET
    token: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    app_group_id: int | msgspec.UnsetType = msgspec.UNSET
    create_time: int | None = None
    expire_time: int | None = None
    last_used_time: int | None = None


class CredentialsReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: CredentialsShown


class CredentialsList(msgspec.Struct, rename="camel"):
    request_id: str
    total_count: int
    result: list[CredentialsShown]


class ServiceShown(msgspec.Struct, rename="camel"):
    service_id: str
    service_type: str
    model_type: Literal["system", "deployment"]
    name: str
    description: str
    charge_way: list[str]
    meta: dict[str, Any]


class ServicesReply(msgspec.Struct, rename="camel"):
    request_id: str
    result: list[ServiceShown]


class Parameter(msgspec.Struct):
    name: str
    value: str


class CreateFunctionBody(msgspec.Struct, rename="camel"):
    """`createParameters` of a deployment: `model`, `modelCategory` (text-embedding, text-reranker or multimodal), and
    `token` where it shall be your own.
    """

    instance_name: str
    model_type: str
    function_type: str = "PAAS"
    description: str = ""
    create_parameters: list[Parameter] = []


class UpdateFunctionBody(msgspec.Struct, rename="camel"):
    description: str | None = None
    create_parameters: list[Parameter] = []


class FunctionTask(msgspec.Struct, rename="camel"):
    dag_status: str
    last_run_time: int


class FunctionShown(msgspec.Struct, rename="camel", omit_defaults=True):
    """One deployment. Times are milliseconds since 1970."""

    instance_name: str
    function_name: str
    function_type: str
    model_type: str
    source: Literal["builtin", "user"]
    status: Literal["available", "unavailable"]
    create_time: int
    description: str | None = None
    create_parameters: list[Parameter] | None = None
    version_id: int | None = None
    task: FunctionTask | None = None


class Outcome(msgspec.Struct, rename="camel"):
    request_id: str
    status: str
    http_code: int
    latency: int


class PascalOutcome(msgspec.Struct, rename="pascal"):
    request_id: str
    status: str
    http_code: int
    latency: int


class FunctionReply(msgspec.Struct, rename="camel"):
    request_id: str
    status: str
    http_code: int
    latency: int
    result: FunctionShown


class FunctionsReply(msgspec.Struct, rename="camel"):
    request_id: str
    status: str
    http_code: int
    latency: int
    total_count: int
    result: list[FunctionShown]


def actor_of(exchange: Exchange) -> Actor:
    """Who asks, for the audit."""
    return Actor(exchange.who, exchange.request_id)


def workspace_of(exchange: Exchange) -> str:
    name: str = exchange.request.path_params["workspace"]
    return name


def milliseconds(at_s: float | None) -> int | None:
    return None if at_s is None else int(at_s * 1000)
