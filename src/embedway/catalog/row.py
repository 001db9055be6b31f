"""The registry's rows: what one transaction reads and writes. A definition lies here as it is shown; see `mask`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from embedway.catalog.verbatim import Object, parse, write
from embedway.errors import Conflict, InstanceNotFound, ModelNotFound
from embedway.store.schema import instance, model
from embedway.types import RemoteKind

_ORDER = (model.c.namespace, model.c.created_s, model.c.name)

Status = Literal["ok", "error", "forbidden"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found: `problem` is empty when the model answered both phases as it should."""

    problem: str = ""
    latency_ms: float | None = None

    @property
    def status(self) -> Status:
        return "error" if self.problem else "ok"


@dataclass(frozen=True, slots=True)
class Row:
    """A registered model. `content` is masked, `sealed` its secrets. Times are seconds since 1970."""

    namespace: str
    name: str
    kind: RemoteKind
    status: Status
    reason: str
    dimension: int | None
    latency_ms: float | None
    content: Object
    sealed: str
    created_s: float
    updated_s: float
    probed_s: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows to list: of one name or kind where that is given; `number` begins at 1."""

    number: int = 1
    size: int = 10
    name: str | None = None
    kind: str | None = None


def read(connection: Connection, namespace: str, name: str) -> Row:
    """Raises `ModelNotFound`."""
    found = connection.execute(select(model).where(*_key(namespace, name))).mappings().first()
    if found is None:
        raise _unknown(namespace, name)
    return _row(found)


def check_free(connection: Connection, namespace: str, name: str) -> None:
    """Raise `Conflict` where the instance has the name."""
    if connection.execute(select(model.c.name).where(*_key(namespace, name))).first() is not None:
        raise _taken(namespace, name)


def read_all(connection: Connection) -> Sequence[Row]:
    """Every model of every instance."""
    return _rows(connection, select(model).order_by(*_ORDER))


def read_marks(connection: Connection) -> Mapping[tuple[str, str], float]:
    """When every model was last changed, by namespace and name, in the order of `read_all`."""
    query = select(model.c.namespace, model.c.name, model.c.updated_s).order_by(*_ORDER)
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def read_page(connection: Connection, namespace: str, page: Page) -> tuple[int, Sequence[Row]]:
    """How many there are in all, and those of the page; the oldest first."""
    chosen = [model.c.namespace == namespace]
    if page.name is not None:
        chosen.append(model.c.name == plain_name(page.name))
    if page.kind is not None:
        chosen.append(model.c.kind == plain_name(page.kind))
    total = connection.execute(select(func.count()).select_from(model).where(*chosen)).scalar_one()
    query = select(model).where(*chosen).order_by(model.c.created_s, model.c.name)
    return total, _rows(connection, query.limit(page.size).offset((page.number - 1) * page.size))


def add(connection: Connection, row: Row) -> None:
    """Raises `Conflict` where the instance has the name."""
    try:
        connection.execute(insert(model).values(_values(row)))
    except IntegrityError as error:
        raise _taken(row.namespace, row.name) from error


def change(connection: Connection, row: Row, read_s: float) -> bool:
    """Write the row in place of the one that was changed at `read_s`; False where that is no more what is there."""
    changed = update(model).where(*_key(row.namespace, row.name), model.c.updated_s == read_s).values(_values(row))
    return connection.execute(changed).rowcount == 1


def remove(connection: Connection, row: Row) -> None:
    """Raises `ModelNotFound` where it has gone."""
    if not connection.execute(delete(model).where(*_key(row.namespace, row.name))).rowcount:
        raise _unknown(row.namespace, row.name)


def is_due(connection: Connection, before_s: float) -> bool:
    """Whether `claim` would find something."""
    return connection.execute(select(model.c.name).where(_due(before_s)).limit(1)).first() is not None


def claim(connection: Connection, before_s: float, most: int) -> Sequence[Row]:
    """Models that nobody has probed since `before_s`, now taken for probing: no other process gets them too. What is
    forbidden is not asked: its credentials stay here.
    """
    due = _due(before_s)
    now_s = time.time()
    rows = _rows(connection, select(model).where(due).order_by(model.c.probed_s).limit(most))
    return [
        row
        for row in rows
        if connection.execute(update(model).where(*_key(row.namespace, row.name), due).values(probed_s=now_s)).rowcount
    ]


def note(connection: Connection, row: Row, finding: Finding) -> None:
    """Keep what a probe of this very row found. A model that was changed meanwhile or is forbidden keeps its status."""
    same = [*_key(row.namespace, row.name), model.c.updated_s == row.updated_s]
    found = {"latency_ms": finding.latency_ms, "reason": finding.problem}
    connection.execute(update(model).where(*same, model.c.status != "forbidden").values(status=finding.status, **found))
    connection.execute(update(model).where(*same).values(probed_s=time.time()))


def check_instance(connection: Connection, name: str, declared: frozenset[str], hold: bool = False) -> None:
    """Raise `InstanceNotFound` unless the instance is `declared` or stored. `hold` keeps a stored one until the end of
    the transaction, which must be one that writes.
    """
    if name in declared:
        return
    query = select(instance.c.id).where(instance.c.id == plain_name(name))
    if connection.execute(query.with_for_update(read=True) if hold else query).first() is None:
        raise InstanceNotFound(
            f"The instance '{name[:200]}' does not exist: declare it with an [[instance]] block or "
            "embedway instances add."
        )


def _due(before_s: float) -> ColumnElement[bool]:
    return (model.c.status != "forbidden") & (model.c.probed_s.is_(None) | (model.c.probed_s < before_s))


def _taken(namespace: str, name: str) -> Conflict:
    return Conflict(f"The instance '{namespace}' already has a model '{name}'.")


def _unknown(namespace: str, name: str) -> ModelNotFound:
    return ModelNotFound(f"The instance '{namespace}' has no model '{name[:200]}'.", name)


def _key(namespace: str, name: str) -> list[Any]:
    return [model.c.namespace == namespace, model.c.name == plain_name(name)]


def plain_name(name: str) -> str:
    """A name to look for; no table holds a NUL, and PostgreSQL would refuse the question."""
    return name.replace("\x00", "\ufffd")


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    return [_row(found) for found in connection.execute(query).mappings()]


def _row(found: RowMapping) -> Row:
    return Row(
        namespace=found["namespace"],
        name=found["name"],
        kind=cast(RemoteKind, found["kind"]),
        status=cast(Status, found["status"]),
        reason=found["reason"],
        dimension=found["dimension"],
        latency_ms=found["latency_ms"],
        content=parse(found["content"]),
        sealed=found["secrets"],
        created_s=found["created_s"],
        updated_s=found["updated_s"],
        probed_s=found["probed_s"],
    )


def _values(row: Row) -> dict[str, Any]:
    return {
        "namespace": row.namespace,
        "name": row.name,
        "kind": row.kind,
        "status": row.status,
        "reason": row.reason,
        "dimension": row.dimension,
        "latency_ms": row.latency_ms,
        "content": write(row.content),
        "secrets": row.sealed,
        "created_s": row.created_s,
        "updated_s": row.updated_s,
        "probed_s": row.probed_s,
    }
