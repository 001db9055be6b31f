"""The catalogue from the settings: with probes that really ask, over the one way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from embedway.backends.remote_definition import check_remote
from embedway.backends.trace import ask
from embedway.catalog.catalog import Catalog, Parts, Rules
from embedway.catalog.definition import origin_of
from embedway.catalog.probe import probe
from embedway.egress.address import Addresses, Refused
from embedway.errors import InvalidInput
from embedway.settings import Settings
from embedway.store.database import Database
from embedway.store.vault import Vault
from embedway.types import RemoteSpec

LOOK_UP_S = 3.0
"""Seconds of the verb's time for the name service; later than that, the probe will tell."""


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
    return Catalog(database, vault, rules, Parts(check, partial(probe, ask=ask), taken, changed))


async def check(remote: RemoteSpec) -> None:
    """Raise `InvalidInput`, with its place below `$.content`, for a definition that cannot be used, and for a URL whose
    host is not public. A host that has no address now is left to the probe.
    """
    try:
        check_remote(remote)
    except InvalidInput as error:
        raise InvalidInput(error.message, f"$.content{(error.field or '$')[1:]}") from error
    _, host, port = origin_of(remote.url)
    try:
        async with asyncio.timeout(LOOK_UP_S):
            await Addresses(remote.private).find(host, port)
    except Refused as error:
        raise InvalidInput(
            f"The host of the URL is refused: {error}. Allow such hosts with --allow-private-urls.", "$.content.url"
        ) from error
    except (OSError, UnicodeError, TimeoutError):
        return
