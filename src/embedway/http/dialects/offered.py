"""ListServices: what the platform offers by service id, and what of it this server answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from embedway.errors import EmbedwayError, InvalidInput
from embedway.http.dialects.platform import ServiceShown, ServicesReply, workspace_of
from embedway.http.exchange import Exchange
from embedway.http.tenancy import Tenancy
from embedway.models.services import SERVICES, Service, ServiceTask
from embedway.types import Caller, ModelStatus, RemoteKind

KINDS: Mapping[ServiceTask, str] = {
    "embedding": "text-embedding",
    "sparse": "text-sparse-embedding",
    "multimodal": "multi-modal-embedding",
    "rerank": "ranker",
    "multimodal rerank": "multi-modal-reranker",
    "reduction": "embedding-tuning",
    "image analysis": "image-analyze",
}
"""The platform's types of services, which are the words of their paths, by task."""

_REMOTE: Mapping[RemoteKind, ServiceTask] = {
    "text_embedding": "embedding",
    "text_sparse_embedding": "sparse",
    "image_embedding": "multimodal",
    "image_analyze": "image analysis",
}


class Services:
    """GET /openapi/platform/workspaces/{workspace}/services. Without a filter: all of them."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy

    async def __call__(self, exchange: Exchange, body: None) -> bytes:
        from embedway.catalog.workspaces import read

        name, given = workspace_of(exchange), exchange.request.query_params
        if given.get("modelType") not in (None, "", "system", "deployment"):
            raise InvalidInput("modelType is system or deployment.", "$.modelType")
        await self._tenancy.run(lambda connection: read(connection, name, self._tenancy.declared), reads=True)
        rows = [*self._system(exchange.caller), *self._deployments(name, exchange.caller)]
        wanted = {
            "service_id": given.get("serviceId"),
            "service_type": given.get("serviceType"),
            "model_type": given.get("modelType"),
        }
        rows = [row for row in rows if all(not value or getattr(row, key) == value for key, value in wanted.items())]
        rows = [row for row in rows if (given.get("name") or "").lower() in row.name.lower()]
        return msgspec.json.encode(ServicesReply(exchange.request_id, rows))

    def _system(self, caller: Caller) -> Sequence[ServiceShown]:
        """The platform's own ids, served or not, then what else this server answers there by name."""
        served = {
            name: status
            for status in self._tenancy.engine.models(caller)
            for name in (status.spec.name, *status.spec.aliases)
            if caller.may_use(name, status.spec.name)
        }
        known = [_show_known(service, served.get(service.id)) for service in SERVICES.values()]
        own = {status.spec.name: status for name, status in served.items() if name not in SERVICES}
        return [*known, *(_show_own(name, status) for name, status in own.items() if name not in SERVICES)]

    def _deployments(self, workspace: str, caller: Caller) -> Sequence[ServiceShown]:
        return [
            ServiceShown(
                service_id=one.id,
                service_type=KINDS["embedding" if one.task == "classify" else one.task],
                model_type="deployment",
                name=one.id,
                description=f"A custom deployment of {one.model}.",
                charge_way=[],
                meta={"model": one.model, "available": running and self._answers(one.model, workspace)},
            )
            for one, running in self._tenancy.served(workspace)
            if self._tenancy.may_use(one.model, caller)
        ]

    def _answers(self, model: str, workspace: str) -> bool:
        try:
            return self._tenancy.engine.find(model, Caller(namespace=workspace)).ready
        except EmbedwayError:
            return False


def _show_known(service: Service, status: ModelStatus | None) -> ServiceShown:
    facts = {
        "dimension": service.dimensions,
        "maxTokens": service.max_tokens,
        "languages": service.languages,
        "qps": service.qps,
    }
    stands_in = status is not None and status.spec.stand_in
    meta: dict[str, Any] = {key: value for key, value in facts.items() if value is not None}
    meta |= {"available": status is not None and status.ready}
    meta |= {"standIn": True} if stands_in else {}
    return ServiceShown(
        service_id=service.id,
        service_type=KINDS[service.task],
        model_type="system",
        name=service.id,
        description=f"{service.task.capitalize()}, languages: {service.languages}.",
        charge_way=[],
        meta=meta,
    )


def _show_own(name: str, status: ModelStatus) -> ServiceShown:
    facts = status.facts
    meta: dict[str, Any] = {"available": status.ready}
    if facts is not None:
        meta |= {"maxTokens": facts.max_tokens} | ({"dimension": facts.dimensions} if facts.dimensions else {})
    return ServiceShown(
        service_id=name,
        service_type=KINDS[_task(status)],
        model_type="system",
        name=name,
        description="A model of this server.",
        charge_way=[],
        meta=meta,
    )


def _task(status: ModelStatus) -> ServiceTask:
    """What a model is for: as it was registered, else by what it can do."""
    if status.spec.remote is not None:
        return _REMOTE[status.spec.remote.kind]
    facts = status.facts
    if facts is not None and "image" in facts.modalities:
        return "multimodal"
    return "rerank" if facts is not None and "rerank" in facts.tasks and not facts.dimensions else "embedding"
