"""What `embedway keys` does in the store."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

from sqlalchemy import Connection

from embedway.access import keyrecords
from embedway.access.accesskeys import make_pair
from embedway.access.apikeys import Scope
from embedway.access.keyrecords import ApiKeyRow
from embedway.access.policy import check_action, read_permission
from embedway.access.records import KeyRow, add_key, read_keys, revoke_key
from embedway.cli.table import render
from embedway.cli.times import moment, read_seconds
from embedway.cli.transaction import change, worded
from embedway.cli.user import who
from embedway.errors import InvalidInput, SettingsError
from embedway.settings import Permission, Settings
from embedway.store.actor import Actor
from embedway.store.database import open_database
from embedway.store.vault import open_vault

_COLUMNS = ("id", "kind", "state", "key", "permissions", "note", "created", "expires", "last_used", "origin")
_ALL = (Permission(),)


def make_access_key(
    settings: Settings, permissions: Sequence[str], expires_in: str | None, note: str, as_json: bool
) -> str:
    """Store a new access key; its id and secret as text. Raises `SettingsError`, `StoreUnavailable`."""
    expires_s = None if expires_in is None else time.time() + read_seconds(expires_in, "--expires-in")
    pair = make_pair(tuple(map(_permission, permissions)) or _ALL, expires_s)
    with closing(open_database(settings)) as database:
        sealed = open_vault(settings, database).seal(pair.secret)
        database.run_now(partial(add_key, pair=pair, sealed=sealed, note=note, who=who()))
    return _show({"id": pair.id, "secret": pair.secret, "expires": moment(expires_s)}, as_json)


def make_api_key(
    settings: Settings,
    admin: bool,
    workspaces: tuple[str, ...],
    models: tuple[str, ...],
    actions: tuple[str, ...],
    expires_in: str | None,
    note: str,
    as_json: bool,
) -> str:
    """Store a new API key; its id and itself as text. Raises `SettingsError`, `StoreUnavailable`."""
    for action in actions:
        worded(partial(check_action, action), "--action")
    expires_s = None if expires_in is None else time.time() + read_seconds(expires_in, "--expires-in")
    scope = Scope(workspaces, models, actions)
    new = partial(keyrecords.create, actor=_actor(), scope=scope, admin=admin, note=note, expires_s=expires_s)
    return _show_new(*change(settings, new), as_json)


def rotate_stored(settings: Settings, key_id: str, overlap: str, as_json: bool) -> str:
    """Raises `SettingsError`, `StoreUnavailable`."""
    overlap_s = read_seconds(overlap, "--overlap")
    _refuse_configured(settings, key_id)
    work = partial(keyrecords.rotate, actor=_actor(), key_id=key_id, overlap_s=overlap_s)
    return _show_new(*change(settings, work), as_json)


def switch_stored(settings: Settings, key_id: str, enabled: bool, as_json: bool) -> str:
    """Raises `SettingsError`, `StoreUnavailable`."""
    _refuse_configured(settings, key_id)
    change(settings, partial(keyrecords.enable, actor=_actor(), key_id=key_id, enabled=enabled))
    return _done(key_id, "active" if enabled else "disabled", as_json)


def revoke_stored(settings: Settings, key_id: str, as_json: bool) -> str:
    """Raises `SettingsError` where there is no such key to revoke, `StoreUnavailable`."""
    _refuse_configured(settings, key_id)

    def work(connection: Connection) -> bool:
        return revoke_key(connection, key_id, who()) or keyrecords.revoke(connection, _actor(), key_id)

    if not change(settings, work):
        raise SettingsError(f"There is no key '{key_id}' to revoke: 'embedway keys list' shows all.")
    return _done(key_id, "revoked", as_json)


def list_keys(settings: Settings, as_json: bool) -> str:
    """A table, or one JSON object a line. Raises `StoreUnavailable`."""
    with closing(open_database(settings)) as database:
        pairs, stored = database.run_now(
            lambda connection: (read_keys(connection), keyrecords.read_api_keys(connection)), reads=True
        )
    rows = [*_configured(settings), *map(_api_key, stored), *map(_access_key, pairs)]
    return render(_COLUMNS, rows, as_json)


def _actor() -> Actor:
    return Actor(who())


def _refuse_configured(settings: Settings, key_id: str) -> None:
    if any(row["id"] == key_id for row in _configured(settings)):
        raise SettingsError(f"The key '{key_id}' is one of the configuration: take it out there.")


def _permission(given: str) -> Permission:
    try:
        return read_permission(given)
    except InvalidInput as error:
        raise SettingsError(f"--permission: {error.message}") from error


def _show_new(row: ApiKeyRow, token: str, as_json: bool) -> str:
    return _show({"id": row.id, "key": token, "expires": moment(row.expires_s)}, as_json)


def _show(shown: dict[str, str | None], as_json: bool) -> str:
    if as_json:
        return json.dumps(shown)
    return "\n".join(f"{name + ':':<9}{value}" for name, value in shown.items() if value is not None)


def _done(key_id: str, state: str, as_json: bool) -> str:
    return json.dumps({"id": key_id, "state": state}) if as_json else f"The key {key_id} is {state}."


def _configured(settings: Settings) -> list[dict[str, Any]]:
    """The rows of the configuration; of its API keys nothing but digests is known."""
    rows = [
        {"id": f"{kind.replace(' ', '-').removeprefix('API-')}:{digest[:8]}", "kind": kind, "permissions": "all"}
        for kind, digests in (("admin key", settings.admin_key_sha256), ("API key", settings.api_key_sha256))
        for digest in digests
    ]
    rows += [
        {"id": one.id, "kind": "access key", "permissions": _permissions(one.permission)} for one in settings.access_key
    ]
    return [dict.fromkeys(_COLUMNS) | {"state": "active", "origin": "configuration"} | row for row in rows]


def _api_key(row: ApiKeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": "admin key" if row.admin else "API key",
        "state": row.state,
        "key": row.masked,
        "permissions": _scope(row.scope),
        "note": row.note or None,
        "created": moment(row.created_s),
        "expires": moment(row.expires_s),
        "last_used": moment(row.last_used_s),
        "origin": "database",
    }


def _access_key(key: KeyRow) -> dict[str, Any]:
    expired = key.expires_s is not None and key.expires_s <= time.time()
    return {
        "id": key.id,
        "kind": "access key",
        "state": "revoked" if key.revoked else "expired" if expired else "active",
        "key": None,
        "permissions": _permissions(key.permissions),
        "note": key.note or None,
        "created": moment(key.created_s),
        "expires": moment(key.expires_s),
        "last_used": moment(key.last_used_s),
        "origin": "database",
    }


def _scope(scope: Scope) -> str:
    parts = (("workspace", scope.workspaces), ("model", scope.models), ("action", scope.actions))
    return " ".join(f"{name}={','.join(values)}" for name, values in parts if values) or "all"


def _permissions(given: Sequence[Permission]) -> str:
    return " ".join(f"{','.join(one.action)}@{','.join(one.resource)}" for one in given)
