"""One transaction for a command; what cannot be done is worded for who typed it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from sqlalchemy import Connection

from embedway.errors import EmbedwayError, SettingsError, SetupError, StoreUnavailable
from embedway.settings import Settings
from embedway.store.database import open_database

T = TypeVar("T")


def change(settings: Settings, work: Callable[[Connection], T], *, reads: bool = False) -> T:
    """Raises `SettingsError`, `StoreUnavailable`."""
    with closing(open_database(settings)) as database:
        return worded(lambda: database.run_now(work, reads=reads))


def worded(work: Callable[[], T], name: str = "") -> T:
    """Turn an error about what was asked into one about the command line, `name` a flag of it."""
    try:
        return work()
    except (SetupError, StoreUnavailable):
        raise
    except EmbedwayError as error:
        raise SettingsError(f"{name}: {error.message}" if name else error.message) from error
