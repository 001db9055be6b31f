"""Who may call: API keys, signatures, admin keys; in keyless mode that the caller sits here and is no foreign page."""

from __future__ import annotations

import dataclasses
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from embedway.access.accesskeys import AccessKeys
from embedway.access.keys import Keys, bearer_digest, read_bearer
from embedway.access.nonces import Nonces
from embedway.access.policy import Resources, allows
from embedway.access.signature import Claim, Head, Headers, fold, is_signed, prove, read_claim
from embedway.errors import Forbidden, NoPermission, Unauthenticated
from embedway.http.exchange import Exchange
from embedway.observe import Metrics
from embedway.settings import Settings
from embedway.types import ANONYMOUS, DEFAULT_NAMESPACE

_PROVE_YOURSELF = (
    "This needs a signature (ACS3-HMAC-SHA256) with an access key, or an admin key as 'Authorization: Bearer <key>'. "
    "Make an access key with 'embedway keys create --access-key'."
)


@dataclass(frozen=True, slots=True)
class Demand:
    """What an operation asks of its caller. With an `action` it is one of the control plane; else `name` makes the
    action `searchplat:{name}` on the workspace, of which only signed calls need the permission.
    """

    name: str
    guarded: bool = True
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature whose head is in order: the body is still to be read, then `Access.prove` decides."""

    claim: Claim
    secret: str = dataclasses.field(repr=False)
    headers: Headers
    needs_store: bool


class Access:
    """The data plane is open only while the server listens on loopback and no key exists, or with `--no-auth`. Who
    shows a signature all the same is judged by it. The control plane always asks for a signature or an admin key.

    A keyless server must not be driven by a web page that the user happens to visit: a foreign `Origin` is refused,
    and so is a `Host` that is not loopback (DNS rebinding).
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, store_ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`store_ready` returns when the store was opened, or found to be away: a signed request waits for it."""
        self._store_ready = store_ready
        self._keys = Keys((*settings.api_key_sha256, *settings.admin_key_sha256))
        self._admin_keys = Keys(settings.admin_key_sha256)
        self._keyless = settings.keyless
        self._check_host = settings.keyless and settings.loopback and not settings.no_auth
        self._origins = settings.cors_origin
        self._root_path = settings.root_path.encode()
        self._resources = Resources(settings.region, settings.account_id)
        self.access_keys = AccessKeys(settings.access_key)
        self.nonces = Nonces(metrics.unshared_nonces.inc)

    async def look(self, exchange: Exchange, demand: Demand) -> Proof | None:
        """Judge a request by its head, before any of its body is read. Names the caller, or returns what `prove` must
        still find true. Raises `Unauthenticated`, `Forbidden`, `StoreUnavailable`.
        """
        if not demand.guarded and demand.action is None:
            return None
        headers = exchange.request.headers
        if self._keyless:
            self._check_page(headers.get("host", ""), headers.get("origin"))
        authorization = read_bearer(headers)
        if is_signed(authorization or ""):
            return await self._look_at_signature(exchange, demand)
        if demand.action is None:
            caller = self._keys.identify(authorization)
            _name(
                exchange, caller.flow, "anonymous" if caller is ANONYMOUS else self._who(bearer_digest(authorization))
            )
        else:
            self._admit_admin(exchange, bearer_digest(authorization))
        return None

    async def prove(self, exchange: Exchange, proof: Proof, body: bytes) -> None:
        """Check the signature over head and body, spend its nonce, and name the caller. Raises `SignatureRefused`,
        `StoreUnavailable`.
        """
        scope = exchange.request.scope
        path = scope.get("raw_path") or quote(exchange.request.url.path).encode()
        head = Head(exchange.request.method, path, scope["query_string"], proof.headers, self._root_path)
        prove(proof.claim, proof.secret, head, body)
        await self.nonces.spend(proof.claim, proof.needs_store)
        _name(exchange, proof.claim.key_id, proof.claim.key_id)

    async def _look_at_signature(self, exchange: Exchange, demand: Demand) -> Proof:
        headers, now_s = fold(exchange.request.headers.raw), time.time()
        claim = read_claim(headers, now_s)
        if self._store_ready is not None:
            await self._store_ready()
        key = self.access_keys.find(claim.key_id, now_s)
        namespace = _namespace(exchange)
        action, resource = f"searchplat:{demand.name}", self._resources.workspace(namespace)
        if demand.action is not None:
            action, resource = demand.action, self._resources.instance(namespace)
        if not allows(key.permissions, action, resource):
            raise NoPermission(f"The access key '{key.id}' has no permission for {action} on {resource[:300]}.")
        return Proof(claim, key.secret, headers, needs_store=demand.action is not None)

    def _admit_admin(self, exchange: Exchange, digest: str | None) -> None:
        if digest is None:
            raise Unauthenticated(_PROVE_YOURSELF)
        if self._admin_keys.know(digest):
            _name(exchange, digest[:16], self._who(digest))
        elif self._keys.know(digest):
            raise NoPermission(f"An API key may not manage anything. {_PROVE_YOURSELF}")
        else:
            raise Unauthenticated(f"The bearer token is no admin key of this server. {_PROVE_YOURSELF}")

    def _who(self, digest: str | None) -> str:
        digest = digest or ""
        return f"{'admin-key' if self._admin_keys.know(digest) else 'key'}:{digest[:8]}"

    def _check_page(self, host: str, origin: str | None) -> None:
        if self._check_host and not is_loopback_host(host):
            raise Forbidden(
                "Without an API key this server answers only to a loopback Host such as 127.0.0.1 or localhost."
            )
        if origin is None or "*" in self._origins or origin in self._origins or _authority(origin) == _authority(host):
            return
        raise Forbidden(
            "Without an API key this server refuses calls from foreign web pages: allow them with --cors-origin."
        )


def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine; the vendor SDK's form `http://127.0.0.1:8000/` included."""
    try:
        name = urlsplit(_with_scheme(host)).hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(exchange: Exchange, flow: str, who: str) -> None:
    exchange.caller = dataclasses.replace(exchange.caller, flow=flow, namespace=_namespace(exchange))
    exchange.who = who


def _namespace(exchange: Exchange) -> str:
    """Whose models the path means: those of its workspace or instance."""
    given = exchange.request.path_params
    name: str = given.get("instance") or given.get("workspace") or DEFAULT_NAMESPACE
    return name


def _authority(text: str) -> str:
    try:
        return urlsplit(_with_scheme(text)).netloc.lower()
    except ValueError:
        return ""


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"http://{text}"
