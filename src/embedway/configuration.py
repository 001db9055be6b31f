"""One `Settings` from defaults, the TOML file, the environment and the flags, in this order; and what is refused."""

from __future__ import annotations

import dataclasses
import logging
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from embedway.errors import SettingsError
from embedway.settings import BUNDLED, AccessKey, Settings, hash_secret
from embedway.types import ModelSpec, Task

log = logging.getLogger(__name__)

DEPLOYED: Sequence[Task] = ("embedding", "rerank", "multimodal")
"""What a custom deployment can be for."""
FILE_ONLY = ("deployment", "reduction", "instance", "access_key", "quota")
"""Tables of the configuration file."""
NO_FLAGS = (*FILE_ONLY, "access_keys", "master_key")
"""A command line is no place for what decrypts or signs: others on the machine see it."""
MODEL_KEYS = {field.name for field in dataclasses.fields(ModelSpec)} - {"namespace", "remote", "disabled"}
"""The keys of a `[[model]]`; the rest is a registered model's."""
_LISTS = (
    "cors_origin",
    "api_key",
    "api_key_sha256",
    "admin_key",
    "admin_key_sha256",
    "access_keys",
    "master_key",
    "image_url_host",
    "model",
)
_SECRETS = ("api_key", "admin_key", "access_keys", "master_key")
_NOT_SETTINGS = ("EMBEDWAY_CONFIG", "EMBEDWAY_HEARTBEAT_FD")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_QUOTA_URL = re.compile(r"(rediss?|valkeys?|unix)://.")


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


def check_serving(settings: Settings, stored: bool = False) -> None:
    """Refuse what contradicts itself, or is not safe, once the server listens. Raises `SettingsError`.

    `stored`: there is a database that may hold keys; on an address that is not loopback nothing is open without one.
    """
    if settings.keyless and not settings.loopback and not settings.no_auth and not stored:
        raise SettingsError(
            f"Without an API key the server listens on loopback only, not on {settings.host}: "
            "set --api-key, make a key with 'embedway keys create', or set --no-auth to serve anyone."
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


def _variables() -> dict[str, str]:
    """The environment's names of the settings, each with its field."""
    return {f"EMBEDWAY_{name.upper()}": name for name in Settings.__struct_fields__ if name not in FILE_ONLY}


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
    for name in _LISTS:
        if isinstance(value := prepared.get(name), str):
            parts = [part.strip() for part in value.split(",")]
            # an empty key is refused below; an empty part of another list is only a comma too many
            prepared[name] = parts if name in _SECRETS else [part for part in parts if part]
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
    if isinstance(given, dict) and (unknown := set(given) - MODEL_KEYS):
        raise SettingsError(f"[[model]] has no key '{sorted(unknown)[0]}'; it has {', '.join(sorted(MODEL_KEYS))}.")
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
    settings = msgspec.structs.replace(
        settings,
        api_key=(),
        api_key_sha256=_digests(settings.api_key, settings.api_key_sha256, "api_key"),
        admin_key=(),
        admin_key_sha256=_digests(settings.admin_key, settings.admin_key_sha256, "admin_key"),
        access_keys=(),
        access_key=(*settings.access_key, *map(_access_key, settings.access_keys)),
        model=_models(settings),
    )
    for secret in settings.master_key:
        _check_secret(secret, "master_key")
    _check_access_keys(settings.access_key)
    _check_names(settings)
    _check_amounts(settings)
    _check_quotas(settings)
    return settings


def _digests(keys: Sequence[str], digests: Sequence[str], name: str) -> tuple[str, ...]:
    """The SHA-256 of all keys: of those given as they are, and of those given by it."""
    for key in keys:
        _check_secret(key, name)
    found = (*(digest.lower() for digest in digests), *map(hash_secret, keys))
    if not all(_DIGEST.fullmatch(digest) for digest in found):
        raise SettingsError(f"{name}_sha256 must be 64 hexadecimal digits: the SHA-256 of the key.")
    return found


def _access_key(given: str) -> AccessKey:
    name, separator, secret = given.partition(":")
    if not separator:
        raise SettingsError("access_keys must read ID:SECRET, several with commas between them.")
    return AccessKey(name, secret)


def _check_access_keys(keys: Sequence[AccessKey]) -> None:
    """Refuse an id given twice, and what no signature can carry."""
    names = [key.id for key in keys]
    if wrong := next((name for name in names if names.count(name) > 1 or not _KEY_ID.fullmatch(name)), None):
        raise SettingsError(
            f"The access key '{wrong}' is given twice, or its id holds other characters than A-Z a-z 0-9 . _ -"
        )
    for key in keys:
        _check_secret(key.secret, f"The secret of the access key '{key.id}'")


def _models(settings: Settings) -> tuple[ModelSpec, ...]:
    """The models to serve: those configured, else the bundled one; general settings fill what a model leaves open."""
    models = settings.model
    if not models or (settings.stand_in and not any(spec.source == BUNDLED and not spec.reduction for spec in models)):
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


def _check_quotas(settings: Settings) -> None:
    """Refuse a quota that limits nothing, two for the same, and a URL that is not Redis's."""
    seen = set()
    for quota in settings.quota:
        selectors = (quota.key, quota.workspace, quota.service)
        if quota.requests_per_s is quota.tokens_per_minute is quota.concurrent is None:
            raise SettingsError("A [[quota]] needs requests_per_s, tokens_per_minute or concurrent.")
        if "" in selectors or selectors in seen:
            raise SettingsError(
                "A [[quota]] has an empty selector, or the same key, workspace and service as another: put the limits "
                "of both into one table."
            )
        seen.add(selectors)
    if settings.quota_url is not None and not _QUOTA_URL.match(settings.quota_url):
        raise SettingsError("quota_url must begin with redis://, rediss://, valkey://, valkeys:// or unix://.")


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
    for instance in settings.instance:
        if not _KEY_ID.fullmatch(instance.id):
            raise SettingsError(f"The instance id '{instance.id}' holds other characters than A-Z a-z 0-9 . _ -")
    reductions = [reduction.name for reduction in settings.reduction]
    if wrong := [name for name in reductions if not name or reductions.count(name) > 1 or name in names]:
        raise SettingsError(
            f"The reduction '{wrong[0]}' has an empty name, or one that another reduction or a model has."
        )
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
