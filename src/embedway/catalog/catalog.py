"""The registry's verbs: create, list, get, modify and delete a model of an instance.

A model is probed before it is stored, outside any transaction; what fails then is its status, not an error. The row,
its audit event and the new version of the catalogue are one transaction, and `changed` is awaited before a verb
returns. The engine is nobody's here: what to serve is `specs`.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from embedway.catalog import row as rows
from embedway.catalog.definition import check_name, check_service, host_of, read_definition
from embedway.catalog.mask import conceal, merge, plain, restore, reveal
from embedway.catalog.row import Finding, Page, Row, Status
from embedway.catalog.served import Served
from embedway.catalog.verbatim import Object, Tree, parse, write
from embedway.errors import (
    Conflict,
    EmbedwayError,
    InvalidInput,
    RemoteFailed,
    SettingsError,
    StoreUnavailable,
    Unavailable,
)
from embedway.store.audit import record
from embedway.store.database import Database
from embedway.store.vault import Vault
from embedway.store.versions import bump
from embedway.types import DEFAULT_NAMESPACE, ModelSpec, RemoteSpec

log = logging.getLogger(__name__)

VERSION = "catalog"
"""The version that each change of a registered model bumps."""
ATTEMPTS = 4
"""How often a modification is tried again when others modify the same model at the same time."""
ANSWER_S = 8.0
"""Seconds for a verb, its look-ups, probes and attempts together: the vendor's client waits 10 s for the reply."""
_AGAIN_S = ANSWER_S / 2
"""Seconds that must be left to begin another attempt: a model that is asked in a hurry would seem not to answer."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, for the audit."""

    who: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Rules:
    """`instances` are declared beside those of the store. `private` allows URLs whose addresses are not public."""

    instances: frozenset[str] = frozenset()
    private: bool = False
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the verbs are given. `check` raises `InvalidInput` for what may not be asked, `probe` never raises for what
    the remote does, `taken` says whether a name is the configuration's, and `changed` makes the server's models those
    of the catalogue.
    """

    check: Callable[[RemoteSpec], Awaitable[None]]
    probe: Callable[[RemoteSpec], Awaitable[Finding]]
    taken: Callable[[str], bool]
    changed: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Whole:
    """A model with its secrets: what is asked, and what must be redacted in anything that is shown of it."""

    row: Row
    remote: RemoteSpec
    secrets: Sequence[Tree]


class Catalog:
    """The registered models of all instances."""

    def __init__(self, database: Database, vault: Vault, rules: Rules, parts: Parts) -> None:
        self._store = database
        self._vault = vault
        self._rules = rules
        self._parts = parts
        self._instances = rules.instances | {DEFAULT_NAMESPACE}
        self._served = Served(self._whole)

    async def create(self, instance: str, name: str, content: bytes, actor: Actor, dry_run: bool = False) -> None:
        """Register a model. Raises `InvalidInput`, `InstanceNotFound`, `Conflict`; for a dry run `RemoteFailed` too."""
        until_s = time.monotonic() + ANSWER_S
        check_name(name)
        whole = restore(parse(content, "$.content"), {}, trusted=False)
        await self._store.run(lambda connection: self._check_free(connection, instance, name), reads=True)
        row = await self._probed(instance, name, whole, until_s)
        if dry_run:
            _check_found(row)
            return

        def store(connection: Connection) -> None:
            self._check_free(connection, instance, name, hold=True)
            rows.add(connection, self._seal(row, whole))
            self._log(connection, actor, "searchengine:CreateModel", row)

        await self._store.run(store)
        await self._parts.changed()

    async def modify(
        self,
        instance: str,
        name: str,
        content: bytes | None,
        status: str | None,
        actor: Actor,
        dry_run: bool = False,
    ) -> None:
        """Replace keys of the definition, one by one, and the status. Raises as `create`, `ModelNotFound`,
        `SecretRequired`.
        """
        if status not in (None, "ok", "forbidden"):
            raise InvalidInput("The status is ok or forbidden; whether a model answers is found out.", "$.status")
        given = parse(content, "$.content") if content is not None else {}
        until_s = time.monotonic() + ANSWER_S
        for attempt in range(ATTEMPTS):
            if attempt and until_s - time.monotonic() < _AGAIN_S:
                break
            old, secrets = await self._store.run(lambda connection: self._open(connection, instance, name), reads=True)
            whole = merge(old.content, given, secrets)
            forbidden = status == "forbidden" or (status is None and old.status == "forbidden")
            if forbidden and not given:  # to switch a model off, nobody needs to reach it
                new = old
            else:
                new = await self._probed(instance, name, whole, until_s)
            if dry_run:
                if new is not old:
                    _check_found(new)
                return
            if await self._store.run(lambda connection: self._replace(connection, old, new, whole, forbidden, actor)):  # noqa: B023 -- run before the next turn
                await self._parts.changed()
                return
        raise Unavailable(f"The model '{name}' is being modified by others: try again.")

    async def delete(self, instance: str, name: str, actor: Actor) -> None:
        """Raises `InstanceNotFound`, `ModelNotFound`."""

        def work(connection: Connection) -> None:
            row = self._find(connection, instance, name)
            rows.remove(connection, row)
            self._log(connection, actor, "searchengine:DeleteModel", row)

        await self._store.run(work)
        await self._parts.changed()

    async def get(self, instance: str, name: str) -> Row:
        """Raises `InstanceNotFound`, `ModelNotFound`."""
        return await self._store.run(lambda connection: self._find(connection, instance, name), reads=True)

    async def list(self, instance: str, page: Page) -> tuple[int, Sequence[Row]]:
        """How many there are in all, and those of the page. Raises `InstanceNotFound`."""

        def work(connection: Connection) -> tuple[int, Sequence[Row]]:
            rows.check_instance(connection, instance, self._instances)
            return rows.read_page(connection, instance, page)

        return await self._store.run(work, reads=True)

    async def whole(self, instance: str, name: str) -> Whole:
        """A model as it is asked, in whatever status. Raises `InstanceNotFound`, `ModelNotFound`."""
        row, secrets = await self._store.run(lambda connection: self._open(connection, instance, name), reads=True)
        return Whole(row, self._read(reveal(row.content, secrets)), list(secrets.values()))

    async def specs(self) -> Sequence[ModelSpec]:
        """What to serve: every model that can be read. One whose secrets cannot be opened is logged and left out."""
        return await self._store.run(self._served.read, reads=True)

    async def claim(self, before_s: float, most: int) -> Sequence[Row]:
        """Models that nobody has probed since `before_s`, for `probe`; no other process gets them too."""
        if not await self._store.run(lambda connection: rows.is_due(connection, before_s), reads=True):
            return []  # to look costs no writer's turn
        return await self._store.run(lambda connection: rows.claim(connection, before_s, most))

    async def probe(self, row: Row) -> None:
        """Ask a claimed model whether it answers, and keep what was found."""
        try:
            secrets = await self._store.run(lambda connection: self._secrets(row), reads=True)
            finding = await self._find_out(row.name, reveal(row.content, secrets), time.monotonic() + ANSWER_S)
        except StoreUnavailable:
            raise
        except EmbedwayError as error:
            finding = Finding(error.message)
        await self._store.run(lambda connection: rows.note(connection, row, finding))

    # ------------------------------------------------------------------------------------------------------------------

    def _read(self, whole: Object) -> RemoteSpec:
        return read_definition(whole, self._rules.private, self._rules.timeout_s)

    async def _find_out(self, name: str, whole: Object, until_s: float) -> Finding:
        """Check, then probe in the time left. Raises `InvalidInput` for what may not be asked, or not so."""
        remote = self._read(whole)
        check_service(name, remote)
        await self._parts.check(remote)
        left_s = max(1.0, round(until_s - time.monotonic(), 1))  # however long the database took, a probe gets a second
        finding = await self._parts.probe(dataclasses.replace(remote, timeout_s=min(remote.timeout_s, left_s)))
        return dataclasses.replace(finding, problem=plain(finding.problem, conceal(whole)[1].values()))

    async def _probed(self, namespace: str, name: str, whole: Object, until_s: float) -> Row:
        """The row of a new definition, masked and not yet sealed."""
        finding = await self._find_out(name, whole, until_s)
        remote, now_s = self._read(whole), time.time()
        return Row(
            namespace=namespace,
            name=name,
            kind=remote.kind,
            status=finding.status,
            reason=finding.problem,
            dimension=remote.dimensions or None,
            latency_ms=finding.latency_ms,
            content=conceal(whole)[0],
            sealed="",
            created_s=now_s,
            updated_s=now_s,
            probed_s=now_s,
        )

    def _seal(self, row: Row, whole: Object) -> Row:
        secrets = conceal(whole)[1]
        return dataclasses.replace(row, sealed=_guard(self._vault.seal, write(secrets)) if secrets else "")

    def _check_free(self, connection: Connection, instance: str, name: str, hold: bool = False) -> None:
        rows.check_instance(connection, instance, self._instances, hold)
        if self._parts.taken(name):
            raise Conflict(f"The name '{name}' belongs to the configuration: choose another.")
        rows.check_free(connection, instance, name)

    def _find(self, connection: Connection, instance: str, name: str) -> Row:
        rows.check_instance(connection, instance, self._instances)
        return rows.read(connection, instance, name)

    def _open(self, connection: Connection, instance: str, name: str) -> tuple[Row, dict[str, Tree]]:
        row = self._find(connection, instance, name)
        return row, self._secrets(row)

    def _secrets(self, row: Row) -> dict[str, Tree]:
        return parse(_guard(self._vault.unseal, row.sealed)) if row.sealed else {}

    def _replace(
        self, connection: Connection, old: Row, new: Row, whole: Object, forbidden: bool, actor: Actor
    ) -> bool:
        """Put the new row in the place of the old one; False where that is no more what is there."""
        status: Status = "forbidden" if forbidden else new.status
        row = dataclasses.replace(
            self._seal(new, whole),
            status=status,
            reason="" if forbidden else new.reason,
            created_s=old.created_s,
            updated_s=max(time.time(), old.updated_s + 1e-3),  # later than the old one, whatever the clock did
        )
        if not rows.change(connection, row, old.updated_s):
            rows.read(connection, old.namespace, old.name)  # it may be gone, rather than changed
            return False
        self._log(connection, actor, "searchengine:ModifyModel", row)
        return True

    def _whole(self, row: Row) -> RemoteSpec:
        return self._read(reveal(row.content, self._secrets(row)))

    def _log(self, connection: Connection, actor: Actor, action: str, row: Row) -> None:
        url = row.content.get("url")
        detail = {"kind": row.kind, "status": row.status, "host": host_of(url) if isinstance(url, str) else ""}
        subject = f"instance/{row.namespace}/model/{row.name}"
        record(connection, actor.who, action, subject, actor.request_id, detail)
        bump(connection, VERSION)


def _guard(work: Callable[[str], str], text: str) -> str:
    """What the vault makes of a text; the log says why it cannot, the caller only that."""
    try:
        return work(text)
    except SettingsError as error:
        log.error("%s", error.message)  # noqa: TRY400 -- it is a sentence for who set the keys
        raise Unavailable("The secrets of this model cannot be used; the server's log says why.") from error


def _check_found(row: Row) -> None:
    if row.reason:
        raise RemoteFailed(row.reason)
