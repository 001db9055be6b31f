"""Who may call: API keys, signatures, admin keys; in keyless mode that the caller sits here and is no foreign page."""

from __future__ import annotations

import dataclasses
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from embedway.access.accesskeys import AccessKeys
from embedway.access.apikeys import ApiKey, ApiKeys, Scope
from embedway.access.keys import bearer_token, read_bearer
from embedway.access.nonces import Nonces
from embedway.access.policy import Resources, actions_on, allows
from embedway.access.signature import Claim, Head, Headers, fold, is_signed, prove, read_claim
from embedway.errors import Forbidden, NoPermission, StoreUnavailable, Unauthenticated
from embedway.http.exchange import Exchange
from embedway.observe import Metrics
from embedway.settings import Settings
from embedway.types import ANONYMOUS, DEFAULT_NAMESPACE, Caller

_PROVE_YOURSELF = (
    "This needs a signature (ACS3-HMAC-SHA256) with an access key, or an admin key as 'Authorization: Bearer <key>'. "
    "Make one with 'embedway keys create --access-key' or 'embedway keys create --admin'."
)
_SHOW_A_KEY = "An API key is needed: send the header 'Authorization: Bearer <key>'."
ResourceKind = Literal["instance", "workspace"]
"""What an action of the control plane is about."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What an operation asks of its caller. With an `action` it is one of the control plane, on the `resource` that the
    path names, or on all of that kind where it names none; else `name` makes the action `searchplat:{name}` on the
    workspace. What is `shared` tells of all workspaces and models at once; what is `selective` looks itself that it
    serves only the models that the caller may use.
    """

    name: str
    guarded: bool = True
    action: str | None = None
    resource: ResourceKind = "instance"
    shared: bool = False
    selective: bool = False

    @property
    def asked(self) -> str:
        return self.action or f"searchplat:{self.name}"


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature whose head is in order: the body is still to be read, then `Access.prove` decides."""

    claim: Claim
    secret: str = dataclasses.field(repr=False)
    headers: Headers
    needs_store: bool


class Access:
    """The data plane is open only while no key was ever made, in the configuration or in the store, and the server
    listens on loopback or with `--no-auth`. While the store is there and not read yet, nobody knows that, and it is
    closed. Who shows a signature all the same is judged by it. The control plane always asks for a signature or an
    admin key.

    An open server must not be driven by a web page that the user happens to visit: a foreign `Origin` is refused, and
    so is a `Host` that is not loopback (DNS rebinding).
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, store_ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """`store_ready` returns when the store was opened, or found to be away: a signed request waits for it."""
        self._store_ready = store_ready
        self._may_open = settings.keyless and (settings.loopback or settings.no_auth)
        self._check_host = settings.loopback and not settings.no_auth
        self._origins = settings.cors_origin
        self._root_path = settings.root_path.encode()
        self._resources = Resources(settings.region, settings.account_id)
        self.api_keys = ApiKeys(settings.api_key_sha256, settings.admin_key_sha256)
        self.access_keys = AccessKeys(settings.access_key)
        self.nonces = Nonces(metrics.unshared_nonces.inc)

    @property
    def open(self) -> bool:
        """Whether the data plane takes anyone, as far as is known."""
        return self._may_open and not self.api_keys.exist

    @property
    def decided(self) -> bool:
        """Whether it is known if anyone is taken."""
        return not self.open or self.api_keys.known

    async def look(self, exchange: Exchange, demand: Demand) -> Proof | None:
        """Judge a request by its head, before any of its body is read. Names the caller, or returns what `prove` must
        still find true. Raises `Unauthenticated`, `Forbidden`, `StoreUnavailable`.
        """
        if not demand.guarded and demand.action is None:
            return None
        if not self.decided:
            await self.api_keys.settle()
        headers = exchange.request.headers
        if self.open:
            self._check_page(headers.get("host", ""), headers.get("origin"))
        authorization = read_bearer(headers)
        if is_signed(authorization or ""):
            return await self._look_at_signature(exchange, demand)
        if demand.action is None and self.open:
            if not self.decided:
                raise StoreUnavailable("Whether there are API keys stands in the database, which was not read yet.")
            _name(exchange, ANONYMOUS.flow, "anonymous", DEFAULT_NAMESPACE)
        else:
            await self._look_at_key(exchange, demand, bearer_token(authorization))
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
        _name(exchange, proof.claim.key_id, proof.claim.key_id, DEFAULT_NAMESPACE)

    async def _look_at_signature(self, exchange: Exchange, demand: Demand) -> Proof:
        headers, now_s = fold(exchange.request.headers.raw), time.time()
        claim = read_claim(headers, now_s)
        if self._store_ready is not None:
            await self._store_ready()
        key = self.access_keys.find(claim.key_id, now_s)

        def reaches(name: str) -> bool:
            return allows(key.permissions, demand.asked, self._resource(demand, name))

        named = _named(exchange)
        whole = "*" if demand.action is not None else DEFAULT_NAMESPACE
        if not _deployed(exchange) and not reaches(named or whole):
            resource = self._resource(demand, named or whole)[:300]
            raise NoPermission(f"The access key '{key.id}' has no permission for {demand.asked} on {resource}.")
        exchange.reaches = reaches
        exchange.lends = lambda name: Scope((name,), (), actions_on(key.permissions, self._resources.workspace(name)))
        exchange.ends_s = key.expires_s
        return Proof(claim, key.secret, headers, needs_store=demand.action is not None)

    async def _look_at_key(self, exchange: Exchange, demand: Demand, token: str | None) -> None:
        if token is None:
            raise Unauthenticated(_SHOW_A_KEY if demand.action is None else _PROVE_YOURSELF)
        try:
            key = await self._find_key(token)
        except Unauthenticated as error:
            raise error if demand.action is None else Unauthenticated(f"{error.message} {_PROVE_YOURSELF}") from None
        if demand.action is not None and not key.admin:
            raise NoPermission(f"An API key may not manage anything. {_PROVE_YOURSELF}")
        self._check_scope(exchange, demand, key.scope)
        _name(exchange, key.id, key.who, key.scope.home)
        exchange.caller = dataclasses.replace(exchange.caller, models=key.scope.models, digest=key.digest)
        exchange.reaches = key.scope.reaches
        exchange.lends = lambda name: dataclasses.replace(key.scope, workspaces=(name,))
        exchange.ends_s = key.expires_s

    async def _find_key(self, token: str) -> ApiKey:
        """One that is known already needs no store."""
        try:
            return self.api_keys.find(token, time.time())
        except StoreUnavailable:
            await self.api_keys.settle()
            return self.api_keys.find(token, time.time())

    def _check_scope(self, exchange: Exchange, demand: Demand, scope: Scope) -> None:
        if not scope.permits(demand.asked):
            raise NoPermission(f"This API key is not for {demand.asked}.")
        named = _named(exchange)
        if named is not None and not scope.reaches(named):
            raise NoPermission(f"This API key is not for '{named[:200]}', only for {', '.join(scope.workspaces)}.")
        if named is None and (demand.shared or demand.action is not None) and scope.workspaces:
            raise NoPermission(f"This is about all workspaces, and this API key is for {', '.join(scope.workspaces)}.")
        if scope.models and not demand.selective and (demand.shared or demand.action is not None):
            model = exchange.request.path_params.get("model")
            if model is not None and Caller(models=scope.models).may_use(model.removesuffix("/")):
                return
            raise NoPermission(
                f"This is not about these models alone: {', '.join(scope.models)}. This API key is for them."
            )

    def _resource(self, demand: Demand, name: str) -> str:
        instance = demand.action is not None and demand.resource == "instance"
        return self._resources.instance(name) if instance else self._resources.workspace(name)

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


def _name(exchange: Exchange, flow: str, who: str, home: str) -> None:
    exchange.caller = dataclasses.replace(exchange.caller, flow=flow, namespace=_named(exchange) or home)
    exchange.who = who


def _named(exchange: Exchange) -> str | None:
    """Whose models the path means: those of its workspace or instance, where it names one."""
    given = exchange.request.path_params
    return given.get("instance") or given.get("workspace")


def _deployed(exchange: Exchange) -> bool:
    """Whether a deployment is called, whose workspace is known only when it was found."""
    return "deployment_id" in exchange.request.path_params


def _authority(text: str) -> str:
    try:
        return urlsplit(_with_scheme(text)).netloc.lower()
    except ValueError:
        return ""


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"http://{text}"
