"""What fuzzed requests are sent to, how they are sent, and what holds for every answer."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from urllib.parse import quote

from tests.server import Connection, Server
from tests.wire.errors import openai_refusal, vendor_refusal
from tests.wire.exchange import Answer

ROUTES = {
    "/v1/embeddings": "/v1/embeddings",
    "/embeddings": "/embeddings",
    "/compatible-mode/v1/embeddings": "/compatible-mode/v1/embeddings",
    "/compatible-mode/v1/chat/embeddings": "/compatible-mode/v1/chat/embeddings",
    "/v3/openapi/workspaces/{workspace}/text-embedding/{service_id}": (
        "/v3/openapi/workspaces/default/text-embedding/fake"
    ),
    "/v3/openapi/deployments/{deployment_id}/predict": "/v3/openapi/deployments/fuzzed/predict",
    "/v3/openapi/{deployment_id}": "/v3/openapi/fuzzed",
}
"""Every POST route of embeddings as the OpenAPI document writes it, and a path of it that this server has."""
RANKING = (
    *("/v1/rerank", "/rerank", "/v2/rerank", "/v1/score", "/score", "/v1/classify", "/classify", "/predict"),
    *("/v1/embed", "/v2/embed"),
    *("/embed", "/embed_all", "/embed_sparse", "/similarity", "/tokenize", "/detokenize", "/decode"),
)
"""The other POST routes."""
SERVICES = {
    f"/v3/openapi/workspaces/{{workspace}}/{kind}/{{service_id}}": f"/v3/openapi/workspaces/default/{kind}/fake"
    for kind in ("text-sparse-embedding", "ranker", "multi-modal-embedding", "multi-modal-reranker")
} | {
    "/v3/openapi/workspaces/{workspace}/embedding-tuning/{service_id}": (
        "/v3/openapi/workspaces/default/embedding-tuning/ops-embedding-dim-reduction-001"
    ),
    "/v3/openapi/workspaces/{workspace}/image-analyze/{service_id}/async": (
        "/v3/openapi/workspaces/default/image-analyze/fake/async"
    ),
}
"""The platform's services beside text embedding, in the same way."""
MANAGING = (
    "/openapi/ha3/instances/{instance}/models",
    "/openapi/ha3/instances/{instance}/models/{model}/actions/debug",
)
"""Those of the model registry, which `test_registry.py` asks with an admin key."""
_WORKSPACE = "/openapi/platform/workspaces/{workspace}"
_FUNCTION = f"{_WORKSPACE}/functions/{{function}}/instances/{{name}}"
PLATFORM = (
    *("/openapi/platform/workspaces", f"{_WORKSPACE}/credentials", f"{_WORKSPACE}/functions/{{function}}/instances"),
    *(f"{_FUNCTION}/tasks", f"{_FUNCTION}/actions/cease", f"{_FUNCTION}/actions/resume"),
)
"""Those of the platform's control plane, which `test_platform.py` asks so."""
OWN_FORMS = {
    "/v2/": ["id", "message"],
    "/v1/embed/": ["id", "message"],
    **{path: ["error", "error_type"] for path in ("/predict/", "/embed/", "/embed_", "/similarity/", "/decode/")},
    "/classify/": ["error"],
}
"""The keys of a refusal below each path that has one dialect, where that is none of the two of the embeddings."""
PATHS = list(ROUTES.values())
VENDORS = ("/v3/openapi", "/compatible-mode")
TOKEN = {"Token": "a-token"}


class _Connection(Connection):
    """Sends head and body without waiting for the other side's acknowledgement between them."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Wire:
    """One kept connection to a server, opened anew when the server has closed it."""

    def __init__(self, server: Server) -> None:
        self._connection = _Connection(server, 10)
        self._host = f"127.0.0.1:{server.port}"

    def send(self, path: str, body: bytes, headers: Mapping[str, str], method: str = "POST") -> Answer:
        """Send these very bytes and read the answer."""
        try:
            return self._send(path, body, headers, method)
        except (ConnectionError, http.client.HTTPException):  # the kept connection had come to its end
            self._connection.close()
            return self._send(path, body, headers, method)

    def close(self) -> None:
        self._connection.close()

    def _send(self, path: str, body: bytes, headers: Mapping[str, str], method: str) -> Answer:
        connection = self._connection
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": self._host, "Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def check(path: str, answer: Answer) -> int:
    """Check what holds for every answer: never a 5xx, JSON without NaN, and a refusal is in the path's dialect."""
    assert answer.status < 500, (answer.status, answer.body[:500])
    if answer.status == 200:
        assert isinstance(answer.json(), dict)
    else:
        (vendor_refusal if path.startswith(VENDORS) else openai_refusal)(answer, answer.status)
    return answer.status


def check_ranking(path: str, answer: Answer) -> int:
    """The same for the routes of ranking, where a body chooses the dialect."""
    assert answer.status < 500, (answer.status, answer.body[:500])
    if answer.status != 200:
        own = next((form for prefix, form in OWN_FORMS.items() if f"{path}/".startswith(prefix)), None)
        form = list(answer.json())
        assert form in ([own] if own else [["error"], ["error", "error_type"]]), answer.body[:500]
    return answer.status


def escape(segment: str) -> str:
    """Write any text as a segment of a path; a lone surrogate goes out as the bytes that stand for it."""
    return quote(segment.encode("utf-8", "surrogatepass"), safe="")
