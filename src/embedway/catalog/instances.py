"""The instances that the store has, beside those of the configuration."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from embedway.errors import Conflict, InstanceNotFound, InvalidInput
from embedway.store.audit import record
from embedway.store.schema import instance, model

MAX_ID = 128
_ID = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Instance:
    """`created_s` is None for one of the configuration; `models` are registered in it."""

    id: str
    models: int
    created_s: float | None


def add(connection: Connection, name: str, who: str) -> None:
    """Raises `InvalidInput`, `Conflict`."""
    if not _ID.fullmatch(name) or len(name) > MAX_ID:
        raise InvalidInput(f"An instance's id holds A-Z a-z 0-9 . _ - only, {MAX_ID} of them at most.")
    try:
        connection.execute(insert(instance).values(id=name, created_s=time.time()))
    except IntegrityError as error:
        raise Conflict(f"The instance '{name}' exists already.") from error
    record(connection, who, "embedway:CreateInstance", f"instance/{name}")


def remove(connection: Connection, name: str, who: str) -> None:
    """Raises `InstanceNotFound`, and `Conflict` while it has models."""
    query = select(instance.c.id).where(instance.c.id == name).with_for_update()
    if connection.execute(query).first() is None:
        raise InstanceNotFound(f"The database has no instance '{name}'.")
    if models := connection.scalar(select(func.count()).where(model.c.namespace == name)):
        raise Conflict(f"The instance '{name}' has {models} models: remove them first.")
    connection.execute(delete(instance).where(instance.c.id == name))
    record(connection, who, "embedway:DeleteInstance", f"instance/{name}")


def read_all(connection: Connection, declared: Sequence[str]) -> Sequence[Instance]:
    """The `declared` ones, then those of the store."""
    counted = connection.execute(select(model.c.namespace, func.count()).group_by(model.c.namespace))
    models: dict[str, int] = {row[0]: row[1] for row in counted}
    stored = connection.execute(select(instance).order_by(instance.c.created_s, instance.c.id)).mappings()
    found = [Instance(name, models.get(name, 0), None) for name in declared]
    return found + [
        Instance(row["id"], models.get(row["id"], 0), row["created_s"]) for row in stored if row["id"] not in declared
    ]
