"""What of the catalogue is served: its rows as the engine takes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from embedway.catalog import row as rows
from embedway.catalog.definition import host_of
from embedway.catalog.row import Row
from embedway.errors import EmbedwayError
from embedway.types import ModelSpec, RemoteSpec

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 60.0
"""A remote model's connections are closed after so long without a call."""


class Served:
    """Reads and unseals only what has changed since the last time: there may be thousands. `whole` makes of a row what
    is asked; it raises `EmbedwayError` where that cannot be.
    """

    def __init__(self, whole: Callable[[Row], RemoteSpec]) -> None:
        self._whole = whole
        self._known: Mapping[tuple[str, str], tuple[float, ModelSpec | None]] = {}

    def read(self, connection: Connection) -> Sequence[ModelSpec]:
        """Every model that can be read; one that cannot is logged once and left out."""
        marks, known = rows.read_marks(connection), self._known
        self._known = {
            key: known[key] if key in known and known[key][0] == mark else (mark, self._read(connection, *key))
            for key, mark in marks.items()
        }
        return [spec for _, spec in self._known.values() if spec is not None]

    def _read(self, connection: Connection, namespace: str, name: str) -> ModelSpec | None:
        try:
            row = rows.read(connection, namespace, name)
            remote = self._whole(row)
        except EmbedwayError as error:
            log.error("The model '%s/%s' is not served: %s", namespace, name, error.message)  # noqa: TRY400
            return None
        return ModelSpec(
            name=row.name,
            source=host_of(remote.url),
            required=False,
            keep_alive_s=KEEP_ALIVE_S,
            namespace=row.namespace,
            remote=remote,
            disabled=row.status == "forbidden",
        )
