"""API keys in the store: rows, and the verbs that change them. Every change leaves an event and a new version."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection, insert, or_, select, update

from embedway.access.apikeys import PREFIX_LENGTH, ApiKey, Scope, make_id, make_token, mask
from embedway.access.records import VERSION
from embedway.errors import Conflict, KeyNotFound
from embedway.settings import hash_secret
from embedway.store import audit, versions
from embedway.store.actor import Actor
from embedway.store.schema import api_key

_READ = msgspec.json.Decoder(Scope)


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A key as it is kept. Times are Unix time."""

    id: str
    prefix: str
    digest: str
    masked: str
    admin: bool
    scope: Scope
    note: str
    enabled: bool
    created_s: float
    expires_s: float | None
    revoked_s: float | None
    last_used_s: float | None

    @property
    def key(self) -> ApiKey:
        return ApiKey(
            id=self.id,
            who=self.id,
            digest=self.digest,
            prefix=self.prefix,
            admin=self.admin,
            scope=self.scope,
            enabled=self.enabled,
            expires_s=self.expires_s,
            revoked=self.revoked_s is not None,
        )

    @property
    def state(self) -> str:
        return self.key.problem(time.time()) or "active"


def read_api_keys(connection: Connection) -> Sequence[ApiKeyRow]:
    """All keys, the oldest first, revoked ones too."""
    rows = connection.execute(select(api_key).order_by(api_key.c.created_s, api_key.c.id)).mappings()
    return [ApiKeyRow(**{**row, "scope": _READ.decode(row["scope"])}) for row in rows]


def read_api_key(connection: Connection, key_id: str) -> ApiKeyRow:
    """Raises `KeyNotFound`."""
    return _only([row for row in read_api_keys(connection) if row.id == key_id])


def find_in_workspace(connection: Connection, workspace: str, given: str) -> ApiKeyRow:
    """The key of this workspace alone that is meant by its token, its id or its masked form. Raises `KeyNotFound`, and
    `Conflict` where several are masked alike.
    """
    rows = list_in_workspace(connection, workspace)
    digest = hash_secret(given)
    exact = [row for row in rows if given == row.id or digest == row.digest]
    return _only(exact or [row for row in rows if given == row.masked])


def list_in_workspace(connection: Connection, workspace: str) -> Sequence[ApiKeyRow]:
    """The keys of one workspace and no other, without revoked ones and those that may manage."""
    rows = read_api_keys(connection)
    return [row for row in rows if row.scope.workspaces == (workspace,) and not row.admin and row.revoked_s is None]


def count_reaching(connection: Connection, workspace: str) -> int:
    """How many keys name this workspace, beside others too, without revoked ones."""
    return sum(workspace in row.scope.workspaces and row.revoked_s is None for row in read_api_keys(connection))


def create(
    connection: Connection,
    actor: Actor,
    scope: Scope,
    *,
    admin: bool = False,
    note: str = "",
    expires_s: float | None = None,
) -> tuple[ApiKeyRow, str]:
    """Store a new key; returns it with its token, which nobody can read again."""
    token = make_token()
    row = ApiKeyRow(
        id=make_id(),
        prefix=token[:PREFIX_LENGTH],
        digest=hash_secret(token),
        masked=mask(token),
        admin=admin,
        scope=scope,
        note=note,
        enabled=True,
        created_s=time.time(),
        expires_s=expires_s,
        revoked_s=None,
        last_used_s=None,
    )
    _insert(connection, row)
    detail = {"admin": admin, "scope": msgspec.to_builtins(scope), "expires_s": expires_s, "note": note}
    _tell(connection, actor, "CreateApiKey", row.id, detail)
    return row, token


def rotate(connection: Connection, actor: Actor, key_id: str, overlap_s: float) -> tuple[ApiKeyRow, str]:
    """A new key that reaches as far and lasts as long as the old one, which ends after `overlap_s` seconds. Raises
    `KeyNotFound`, `Conflict` for one that is not good, and for one that was rotated before: its end is its overlap's.
    """
    connection.execute(select(api_key.c.id).where(api_key.c.id == key_id).with_for_update())
    old = read_api_key(connection, key_id)
    if old.state != "active":
        better = "enable it first" if old.state == "disabled" else "create a new one instead"
        raise Conflict(f"The API key '{key_id}' is {old.state}: {better}.")
    if successor := _successor(connection, key_id):
        raise Conflict(f"The API key '{key_id}' was rotated already: rotate its successor '{successor}' instead.")
    new, token = create(connection, actor, old.scope, admin=old.admin, note=old.note, expires_s=old.expires_s)
    ends_s = time.time() + overlap_s
    if old.expires_s is None or ends_s < old.expires_s:
        connection.execute(update(api_key).where(api_key.c.id == key_id).values(expires_s=ends_s))
    _tell(connection, actor, "RotateApiKey", key_id, {"successor": new.id, "overlap_s": overlap_s})
    return new, token


def enable(connection: Connection, actor: Actor, key_id: str, enabled: bool) -> ApiKeyRow:
    """Switch a key off or on again. Raises `KeyNotFound`, `Conflict` for a revoked one."""
    row = read_api_key(connection, key_id)
    if row.revoked_s is not None:
        raise Conflict(f"The API key '{key_id}' is revoked, which is for ever: create a new one.")
    connection.execute(update(api_key).where(api_key.c.id == key_id).values(enabled=enabled))
    _tell(connection, actor, "EnableApiKey" if enabled else "DisableApiKey", key_id, {})
    return replace(row, enabled=enabled)


def revoke(connection: Connection, actor: Actor, key_id: str) -> bool:
    """Refuse a key from now on. False when there is no such key, or it is revoked already."""
    same = (api_key.c.id == key_id, api_key.c.revoked_s.is_(None))
    if connection.execute(update(api_key).where(*same).values(revoked_s=time.time())).rowcount == 0:
        return False
    _tell(connection, actor, "RevokeApiKey", key_id, {})
    return True


def note_used(connection: Connection, used_s: Mapping[str, float]) -> None:
    """Write when keys were last used; an older time than the one that is there is none."""
    for key_id, at_s in sorted(used_s.items()):
        older = or_(api_key.c.last_used_s.is_(None), api_key.c.last_used_s < at_s)
        connection.execute(update(api_key).where(api_key.c.id == key_id, older).values(last_used_s=at_s))


def _successor(connection: Connection, key_id: str) -> str | None:
    """The id of the key that a rotation put in this one's place, if any."""
    subject = f"api-key/{key_id}"
    done = [one for one in audit.read_events(connection, subject=subject) if one.subject == subject]
    return next((one.detail["successor"] for one in done if one.action == "RotateApiKey"), None)


def _insert(connection: Connection, row: ApiKeyRow) -> None:
    values = {name: getattr(row, name) for name in api_key.c.keys()}  # noqa: SIM118 -- a collection of columns
    connection.execute(insert(api_key).values({**values, "scope": msgspec.json.encode(row.scope).decode()}))


def _only(rows: Sequence[ApiKeyRow]) -> ApiKeyRow:
    if not rows:
        raise KeyNotFound("There is no such API key.")
    if len(rows) > 1:
        raise Conflict(f"{len(rows)} API keys are masked like this one: name it by its id, or by the key itself.")
    return rows[0]


def _tell(connection: Connection, actor: Actor, action: str, key_id: str, detail: Mapping[str, object]) -> None:
    audit.record(connection, actor.who, action, f"api-key/{key_id}", actor.request_id, dict(detail))
    versions.bump(connection, VERSION)
