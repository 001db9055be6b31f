"""The catalogue from the settings: with probes that really ask, over the one way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from embedway.backends.trace import ask
from embedway.catalog.catalog import Catalog, Parts, Rules
from embedway.catalog.probe import probe
from embedway.settings import Settings
from embedway.store.database import Database
from embedway.store.vault import Vault
from embedway.types import RemoteSpec


def make_catalog(
    settings: Settings,
    database: Database,
    vault: Vault,
    taken: Callable[[str], bool],
    changed: Callable[[], Awaitable[None]],
) -> Catalog:
    """`taken` and `changed` as in `Parts`."""
    rules = Rules(
        instances=frozenset(one.id for one in settings.instance),
        private=settings.allow_private_urls,
        timeout_s=settings.remote_timeout_s,
    )
    return Catalog(database, vault, rules, Parts(_check, partial(probe, ask=ask), taken, changed))


async def _check(remote: RemoteSpec) -> None:
    """Raises `InvalidInput`."""
