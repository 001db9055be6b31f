"""Register models with `alibabacloud-searchengine20211025`: python use_searchengine.py HOST:PORT URL ID SECRET KEY.

All is asked twice: signed with the access key ID, and with the admin key KEY. URL is the remote model's.
"""

from __future__ import annotations

import sys
from typing import Any

from alibabacloud_searchengine20211025 import models
from alibabacloud_searchengine20211025.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from report import Report

INSTANCE = "ha-cn-x"
RUNTIME = RuntimeOptions(read_timeout=60_000, connect_timeout=5_000)
DOCUMENT, QUERY = "document", "query"


def open_client(endpoint: str, key: str, secret: str | None) -> Client:
    if secret is None:
        return Client(Config(bearer_token=key, endpoint=endpoint, protocol="http"))
    return Client(Config(access_key_id=key, access_key_secret=secret, endpoint=endpoint, protocol="http"))


def content(url: str, authorization: str) -> models.CreateModelRequestContent:
    """A definition made of the client's own types."""
    return models.CreateModelRequestContent(
        model_type="text_embedding",
        dimension=2,
        url=url,
        method="POST",
        request=models.CreateModelRequestContentRequest(
            header=models.CreateModelRequestContentRequestHeader(
                authorization=authorization, content_type="application/json"
            ),
            url_params=models.CreateModelRequestContentRequestUrlParams(build={"a": "b", "n": 1}, search={}),
            request_body='{"input": ["%{input}"], "input_type": "%{input_type}"}',
            parameters=models.CreateModelRequestContentRequestParameters(
                build=models.CreateModelRequestContentRequestParametersBuild(input_type=DOCUMENT),
                search=models.CreateModelRequestContentRequestParametersSearch(input_type=QUERY),
            ),
        ),
        response=models.CreateModelRequestContentResponse(embeddings="$.result.embeddings[*].embedding"),
    )


def facts(answer: Any) -> dict[str, Any]:
    """What the client made of a reply."""
    header_id = answer.headers.get("x-acs-request-id")
    return {"status": answer.status_code, "header_id": header_id, **answer.body.to_map()}


class Session:
    """The six actions of one client."""

    def __init__(self, client: Client, url: str, name: str) -> None:
        self._client = client
        self._url = url
        self._name = name

    def create(self, dry_run: str | None = None, name: str = "", instance: str = INSTANCE) -> dict[str, Any]:
        request = models.CreateModelRequest(
            name=name or self._name, content=content(self._url, "Bearer OS-v0abcdefghijk6vvs"), dry_run=dry_run
        )
        return facts(self._client.create_model_with_options(instance, request, {}, RUNTIME))

    def list(self, **given: Any) -> dict[str, Any]:
        request = models.ListModelsRequest(**given)
        return facts(self._client.list_models_with_options(INSTANCE, request, {}, RUNTIME))

    def get(self, name: str = "") -> dict[str, Any]:
        return facts(self._client.get_model_with_options(INSTANCE, name or self._name, {}, RUNTIME))

    def modify(self, **given: Any) -> dict[str, Any]:
        request = models.ModifyModelRequest(**given)
        return facts(self._client.modify_model_with_options(INSTANCE, self._name, request, {}, RUNTIME))

    def debug(self, online: str, text: str = "hello") -> dict[str, Any]:
        request = models.DebugModelRequest(input=text, is_online=online)
        return facts(self._client.debug_model_with_options(INSTANCE, self._name, request, {}, RUNTIME))

    def delete(self) -> dict[str, Any]:
        return facts(self._client.delete_model_with_options(INSTANCE, self._name, {}, RUNTIME))

    def put_back(self) -> dict[str, Any]:
        """Modify with what Get gave, its secret masked."""
        shown = self.get()["result"]["content"]
        return self.modify(content=models.ModifyModelRequestContent().from_map(shown))


def ask(url: str, name: str, endpoint: str, key: str, secret: str | None = None) -> dict[str, Any]:
    """Everything, with an access key or, without a secret, with a bearer token."""
    report = Report()
    session = Session(open_client(endpoint, key, secret), url, name)
    report.ask("dry_run", lambda: session.create(dry_run="true"))
    report.ask("create", session.create)
    report.ask("create_again", session.create)
    report.ask("create_nowhere", lambda: session.create(instance="nowhere"))
    report.ask("create_wrong", lambda: session.create(name="a\nb"))
    report.ask("get", session.get)
    report.ask("list", lambda: session.list(name=name, type="text_embedding", page_number=1, page_size=10))
    report.ask("list_wrong", lambda: session.list(page_size=1000))
    report.ask("debug", lambda: session.debug("true"))
    report.ask("debug_build", lambda: session.debug("false"))
    report.ask("put_back", session.put_back)
    report.ask("modify", lambda: session.modify(status="forbidden"))
    report.ask("modify_wrong", lambda: session.modify(status="error"))
    moved = models.ModifyModelRequestContent(url="http://127.0.0.1:9/")
    report.ask("modify_moved", lambda: session.modify(content=moved, status="ok"))
    report.ask("get_forbidden", session.get)
    report.ask("delete", session.delete)
    report.ask("get_gone", session.get)
    stranger = Session(open_client(endpoint, "stranger", secret and "other"), url, name)
    report.ask("stranger", stranger.get)
    with_scheme = Session(open_client(f"http://{endpoint}/", key, secret), url, name)
    report.ask("scheme", lambda: with_scheme.list(name="none"))
    return report.answers


def main(endpoint: str, url: str, key_id: str, secret: str, admin_key: str) -> None:
    report = Report()
    report.ask("signed", lambda: ask(url, "signed/model", endpoint, key_id, secret))
    report.ask("bearer", lambda: ask(url, "bearer model", endpoint, admin_key))
    report.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
