"""One frozen Settings: defaults < TOML file < environment < flags.

A field `max_batch_tokens` is the key `max_batch_tokens` of the file, the variable `EMBEDWAY_MAX_BATCH_TOKENS` and the
flag `--max-batch-tokens`; its description is the flag's help and the row of docs/reference/settings.md.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from embedway.sizes import parse_bytes
from embedway.types import BackendName, DType, ModelSpec, Task, Truncation

BUNDLED = "all-MiniLM-L6-v2"


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[deployment]]`: an id under which one model is called with a token of its own."""

    id: str
    model: str
    task: Task = "embedding"
    workspace: str = "default"
    token_sha256: str | None = None


class ReductionEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[reduction]]`: a trained reduction under a name, for vectors that callers bring."""

    name: str
    path: str


class Instance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `[[instance]]`: a namespace in which models can be registered."""

    id: str


class Permission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an access key may do, in the words of Alibaba Cloud's RAM: `*` and `?` stand for any part."""

    action: tuple[str, ...] = ("*",)
    resource: tuple[str, ...] = ("*",)


class AccessKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `[[access_key]]`, whose secret signs requests. It may do everything unless it has permissions."""

    id: str
    secret: str
    permission: tuple[Permission, ...] = (Permission(),)

    def __repr__(self) -> str:
        return f"AccessKey(id={self.id!r})"


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[quota]]`: limits for the calls that fit all its selectors; `*` gives each key, workspace or service a count
    of its own, and a selector that is left out counts all of them together.

    `key` is at least 8 hex digits with which the SHA-256 of an API key begins, the id of a stored API key (`key-…`) or
    of an access key, or `anonymous`.
    """

    key: str | None = None
    workspace: str | None = None
    service: str | None = None
    requests_per_s: Annotated[int, Meta(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Meta(ge=1)] | None = None
    concurrent: Annotated[int, Meta(ge=1)] | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Keys are kept as SHA-256 only; what must be readable is no flag, which others see."""

    host: Annotated[
        str, Meta(description="Address to listen on. Any other than loopback needs an API key or --no-auth.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 8000
    uds: Annotated[str | None, Meta(description="Listen on this Unix socket instead of a port.")] = None
    root_path: Annotated[
        str, Meta(description="Path under which a proxy publishes the server, such as /embeddings.")
    ] = ""
    cors_origin: Annotated[
        tuple[str, ...], Meta(description="Origin whose pages may call the server from a browser; * for all.")
    ] = ()
    tls_cert: Annotated[str | None, Meta(description="PEM file with the TLS certificate chain.")] = None
    tls_key: Annotated[str | None, Meta(description="PEM file with the TLS private key.")] = None
    api_key: Annotated[
        tuple[str, ...], Meta(description="API key that callers must show; kept as its SHA-256 only.")
    ] = ()
    api_key_sha256: Annotated[
        tuple[str, ...], Meta(description="The SHA-256 of an API key, in hex, instead of the key.")
    ] = ()
    admin_key: Annotated[
        tuple[str, ...], Meta(description="API key that may also manage models; kept as its SHA-256 only.")
    ] = ()
    admin_key_sha256: Annotated[tuple[str, ...], Meta(description="The SHA-256 of such a key, in hex.")] = ()
    access_keys: Annotated[
        tuple[str, ...], Meta(description="Access keys that sign requests, as ID:SECRET; they may do everything.")
    ] = ()
    access_key: Annotated[
        tuple[AccessKey, ...], Meta(description="Access keys with permissions; in the file only.")
    ] = ()
    region: Annotated[str, Meta(description="Region in the resource names of permissions.")] = "local"
    account_id: Annotated[str, Meta(description="Account in the resource names of permissions.")] = "0"
    database_url: Annotated[
        str | None,
        Meta(description="Registry and keys: sqlite:///FILE or postgresql://…; else a file in the user's data folder."),
    ] = None
    master_key: Annotated[
        tuple[str, ...],
        Meta(
            description="Encrypts stored secrets: the first of several; all decrypt. Else a file beside the database."
        ),
    ] = ()
    tuning_data_dir: Annotated[
        str | None,
        Meta(description="Folder whose files may be named as data of trainings over the API; without it, none may."),
    ] = None
    no_auth: Annotated[bool, Meta(description="Serve anyone without a key on an address that is not loopback.")] = False
    protect_metrics: Annotated[
        bool, Meta(description="Ask for an API key on /metrics, /docs and /openapi.json too.")
    ] = False
    model: Annotated[
        tuple[ModelSpec, ...],
        Meta(description="Model to serve: SOURCE, or NAME=SOURCE; a bundled name, hub id or folder."),
    ] = ()
    deployment: Annotated[tuple[Deployment, ...], Meta(description="Custom deployments; in the file only.")] = ()
    reduction: Annotated[
        tuple[ReductionEntry, ...],
        Meta(description="Trained reductions of vectors that callers bring; in the file only."),
    ] = ()
    instance: Annotated[
        tuple[Instance, ...], Meta(description="Instances in which models can be registered; in the file only.")
    ] = ()
    quota: Annotated[
        tuple[Quota, ...],
        Meta(description="Limits of requests and tokens by key, workspace and service; in the file only."),
    ] = ()
    quota_url: Annotated[
        str | None,
        Meta(
            description="Redis or Valkey that counts for several servers: redis://HOST:6379/0; else each counts alone."
        ),
    ] = None
    no_default_quotas: Annotated[
        bool, Meta(description="Do not hold known service ids to the requests a second that their documents state.")
    ] = False
    probe_interval_s: Annotated[
        float, Meta(description="Seconds after which a registered model is asked again whether it answers.", gt=0)
    ] = 60.0
    remote_timeout_s: Annotated[
        float, Meta(description="Seconds in which a remote model must answer one attempt.", gt=0)
    ] = 10.0
    stand_in: Annotated[
        bool,
        Meta(description="Let the bundled model answer all service ids for texts, for trying examples."),
    ] = False
    dtype: Annotated[
        Literal["auto"] | DType,
        Meta(description="Precision: auto takes bf16 where the CPU has it, else fp32; int8 is faster and coarser."),
    ] = "auto"
    backend: Annotated[
        BackendName,
        Meta(
            description="What computes: auto takes torch where a GPU is, else openvino; sentence for what neither has."
        ),
    ] = "auto"
    device: Annotated[
        str, Meta(description="Where torch computes: auto, cpu, cuda or cuda:1.", pattern="^(auto|cpu|cuda(:[0-9]+)?)$")
    ] = "auto"
    truncation: Annotated[
        Truncation, Meta(description="What happens to a text longer than the model reads: cut, or error.")
    ] = "cut"
    threads: Annotated[
        int, Meta(description="Threads for inference; 0 takes the processors that the process may use.", ge=0)
    ] = 0
    keep_alive_s: Annotated[
        float | None,
        Meta(description="Seconds unused after which a model is unloaded; the next call loads it again. None: never."),
    ] = None
    memory_budget: Annotated[
        str | None, Meta(description="Memory that models on the CPU may take together, by estimate, such as 8GiB.")
    ] = None
    swap_without_room: Annotated[
        Literal["refuse", "drain"],
        Meta(description="A swap without memory for both copies: refused, or the old one is drained first."),
    ] = "refuse"
    max_batch_tokens: Annotated[int, Meta(description="Tokens in one batch at most.", ge=1)] = 2048
    max_batch_items: Annotated[int, Meta(description="Items in one batch at most.", ge=1)] = 128
    max_queue_tokens: Annotated[
        int, Meta(description="Tokens accepted and not yet answered, for each model and caller; above it: 429.", ge=1)
    ] = 262_144
    max_body_bytes: Annotated[
        int, Meta(description="Largest request body, where the API itself has no smaller limit.", ge=1024)
    ] = 33_554_432
    body_timeout_s: Annotated[float, Meta(description="Seconds in which a request body must have arrived.", gt=0)] = (
        30.0
    )
    image_url_host: Annotated[
        tuple[str, ...],
        Meta(description="Host from which images are fetched by URL, such as *.example.com; without any, none are."),
    ] = ()
    allow_private_urls: Annotated[
        bool, Meta(description="Fetch from addresses that are not public too, where their host is allowed.")
    ] = False
    request_timeout_s: Annotated[
        float, Meta(description="Seconds after which a request is given up with 504.", gt=0)
    ] = 300.0
    drain_timeout_s: Annotated[float, Meta(description="Seconds that requests in flight get at SIGTERM.", gt=0)] = 30.0
    hang_timeout_s: Annotated[
        float, Meta(description="Seconds after which one pass of a model counts as hung and the process ends.", gt=0)
    ] = 60.0
    supervise: Annotated[
        bool, Meta(description="Run the server in a child process and restart it after a crash or a hang.")
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level that is logged.")
    ] = "info"
    log_format: Annotated[Literal["text", "json"], Meta(description="Log lines as text or as JSON objects.")] = "text"

    @property
    def keyless(self) -> bool:
        return not self.api_key_sha256 and not self.admin_key_sha256

    @property
    def memory_bytes(self) -> int | None:
        return None if self.memory_budget is None else parse_bytes(self.memory_budget)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.uds is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name: where it leads is not ours to know
            return False


def hash_secret(secret: str) -> str:
    """SHA-256 in hex: what is kept of a key or token. They are long and random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
