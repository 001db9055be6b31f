"""One frozen Settings: defaults < TOML file < environment < flags.

A field `max_batch_tokens` is the key `max_batch_tokens` of the file, the variable `EMBEDWAY_MAX_BATCH_TOKENS` and the
flag `--max-batch-tokens`; its description is the flag's help and the row of docs/reference/settings.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import logging
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from embedway.errors import SettingsError
from embedway.sizes import parse_bytes
from embedway.types import BackendName, DType, ModelSpec, Task, Truncation

log = logging.getLogger(__name__)

BUNDLED = "all-MiniLM-L6-v2"
_NOT_SETTINGS = ("EMBEDWAY_CONFIG", "EMBEDWAY_HEARTBEAT_FD")
DEPLOYED: Sequence[Task] = ("embedding", "rerank", "multimodal")
"""What a custom deployment can be for."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[deployment]]`: an id under which one model is called with a token of its own."""

    id: str
    model: str
    task: Task = "embedding"
    workspace: str = "default"
    token_sha256: str | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Secrets are kept as SHA-256 only."""

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
    no_auth: Annotated[bool, Meta(description="Serve anyone without a key on an address that is not loopback.")] = False
    protect_metrics: Annotated[
        bool, Meta(description="Ask for an API key on /metrics, /docs and /openapi.json too.")
    ] = False
    model: Annotated[
        tuple[ModelSpec, ...],
        Meta(description="Model to serve: SOURCE, or NAME=SOURCE; a bundled name, hub id or folder."),
    ] = ()
    deployment: Annotated[tuple[Deployment, ...], Meta(description="Custom deployments; in the file only.")] = ()
    stand_in: Annotated[
        bool,
        Meta(description="Let the bundled model answer all six text-embedding service ids, for trying examples."),
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
        int, Meta(description="Tokens accepted and not yet answered, for each model; above it: 429.", ge=1)
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
        return not self.api_key_sha256

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


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Settings:
    """Merge and check. Raises `SettingsError` with one sentence that names the flag, variable or key."""
    merged: dict[str, Any] = {}
    if config is not None:
        merged |= _prepare(_read_toml(config), str(config))
    names = _variables()
    for variable, value in (environment or {}).items():
        if variable in names and value != "":
            merged |= _prepare({names[variable]: value}, variable)
    for name, value in (flags or {}).items():
        merged |= _prepare({name: value}, "--" + name.replace("_", "-"))
    return _complete(_convert(merged, "the configuration"))


def check_serving(settings: Settings) -> None:
    """Refuse what contradicts itself, or is not safe, once the server listens. Raises `SettingsError`."""
    if settings.keyless and not settings.loopback and not settings.no_auth:
        raise SettingsError(
            f"Without an API key the server listens on loopback only, not on {settings.host}: "
            "set --api-key, or --no-auth to serve anyone."
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingsError("--tls-cert and --tls-key belong together: give both or neither.")
    if settings.root_path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", settings.root_path):
        raise SettingsError("--root-path must look like /path, without a slash at its end.")


def warn_unknown(environment: Mapping[str, str]) -> None:
    """Say which EMBEDWAY_* variables mean nothing: a slip in a name would else go unnoticed."""
    for variable in sorted(environment):
        if variable.startswith("EMBEDWAY_") and variable not in {*_variables(), *_NOT_SETTINGS}:
            log.warning("The variable %s means nothing to this version.", variable)


def hash_secret(secret: str) -> str:
    """SHA-256 in hex: what is kept of a key or token. They are long and random, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _variables() -> dict[str, str]:
    """The environment's names of the settings, each with its field."""
    return {f"EMBEDWAY_{name.upper()}": name for name in Settings.__struct_fields__ if name != "deployment"}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The configuration file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The configuration file {path} is not valid TOML: {error}.") from error


def _prepare(values: dict[str, Any], origin: str) -> dict[str, Any]:
    """Bring one source's values into the shape of `Settings`, and check them so that an error can name the source."""
    prepared = dict(values)
    for name in ("cors_origin", "api_key", "api_key_sha256", "image_url_host", "model"):
        if isinstance(value := prepared.get(name), str):
            parts = [part.strip() for part in value.split(",")]
            # an empty key is refused below; an empty part of another list is only a comma too many
            prepared[name] = parts if name == "api_key" else [part for part in parts if part]
    if isinstance(models := prepared.get("model"), (list, tuple)):
        prepared["model"] = [_model_table(one) for one in models]
    if isinstance(deployments := prepared.get("deployment"), list):
        prepared["deployment"] = [_hash_token(one) for one in deployments]
    _convert(prepared, origin)
    return prepared


def _model_table(given: Any) -> Any:
    """A `[[model]]` table, or the flag's SOURCE or NAME=SOURCE. Keys that do not exist are refused, not passed over."""
    if isinstance(given, str):
        name, separator, source = given.partition("=")
        return {"name": name, "source": source if separator else name}
    known = {field.name for field in dataclasses.fields(ModelSpec)}
    if isinstance(given, dict) and (unknown := set(given) - known):
        raise SettingsError(f"[[model]] has no key '{sorted(unknown)[0]}'; it has {', '.join(sorted(known))}.")
    return given


def _hash_token(table: Any) -> Any:
    if not isinstance(table, dict) or not isinstance(table.get("token"), str):
        return table
    _check_secret(table["token"], "token")
    kept = {key: value for key, value in table.items() if key != "token"}
    return kept | {"token_sha256": hash_secret(table["token"])}


def _check_secret(secret: str, name: str) -> None:
    """A secret must be something, and something that an HTTP header can carry."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret):
        raise SettingsError(f"{name} must not be empty and may hold visible ASCII only: was a variable unset?")


def _convert(values: Mapping[str, Any], origin: str) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{origin}: {error}.") from error


def _complete(settings: Settings) -> Settings:
    """Fill in what follows from other settings, hash the keys, and refuse what contradicts itself."""
    for key in settings.api_key:
        _check_secret(key, "api_key")
    digests = tuple(digest.lower() for digest in settings.api_key_sha256) + tuple(
        hash_secret(key) for key in settings.api_key
    )
    settings = msgspec.structs.replace(settings, api_key=(), api_key_sha256=digests, model=_models(settings))
    if not all(_DIGEST.fullmatch(digest) for digest in digests):
        raise SettingsError("api_key_sha256 must be 64 hexadecimal digits: the SHA-256 of the key.")
    _check_names(settings)
    _check_amounts(settings)
    return settings


def _models(settings: Settings) -> tuple[ModelSpec, ...]:
    """The models to serve: those configured, else the bundled one; general settings fill what a model leaves open."""
    models = settings.model
    if not models or (settings.stand_in and not any(spec.source == BUNDLED for spec in models)):
        models = (*models, ModelSpec(BUNDLED, BUNDLED))
    return tuple(_fill(spec, settings) for spec in models)


def _fill(spec: ModelSpec, settings: Settings) -> ModelSpec:
    return dataclasses.replace(
        spec,
        dtype=settings.dtype if spec.dtype == "auto" else spec.dtype,
        backend=settings.backend if spec.backend == "auto" else spec.backend,
        device=settings.device if spec.device == "auto" else spec.device,
        truncation=spec.truncation or settings.truncation,
        matryoshka=tuple(sorted(spec.matryoshka)),
        keep_alive_s=settings.keep_alive_s if spec.keep_alive_s is None else spec.keep_alive_s,
    )


def _check_amounts(settings: Settings) -> None:
    """Refuse a time that is less than nothing, and a text that is no amount of memory."""
    if any((spec.keep_alive_s or 0) < 0 for spec in settings.model):
        raise SettingsError("keep_alive_s must be 0 or more seconds; leave it out to keep a model for ever.")
    try:
        _ = settings.memory_bytes
    except ValueError as error:
        raise SettingsError(f"memory_budget: {error}; write it like 8GiB or 512MiB.") from error


def _check_names(settings: Settings) -> None:
    """Refuse a name that two models share, and a deployment of a model that is not there."""
    names: set[str] = set()
    for spec in settings.model:
        for name in (spec.name, *spec.aliases):
            if not name or name in names:
                raise SettingsError(
                    f"The model name '{name}' is empty or given twice: every name and alias must be unique."
                )
            names.add(name)
    ids: set[str] = set()
    for deployment in settings.deployment:
        if deployment.id in ids or not re.fullmatch(r"[A-Za-z0-9._-]+", deployment.id):
            raise SettingsError(
                f"The deployment id '{deployment.id}' is given twice or holds other characters than A-Z a-z 0-9 . _ -"
            )
        ids.add(deployment.id)
        if deployment.task not in DEPLOYED:
            raise SettingsError(
                f"The deployment '{deployment.id}' has the task {deployment.task}; "
                f"the tasks of deployments are {', '.join(DEPLOYED)}."
            )
        if deployment.model not in names:
            raise SettingsError(
                f"The deployment '{deployment.id}' names the model '{deployment.model}', which is not configured."
            )
