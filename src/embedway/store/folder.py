"""Where a user's data lies. Apart from `address`, so that a server finds out at no cost that nothing is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_DATA_HOME/embedway`; by the XDG Base Directory Specification 0.8 a path that is not absolute is ignored."""
    given = Path(environment.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "share") / "embedway"


def default_file() -> Path:
    """The SQLite file that is used when no database is configured."""
    return data_folder() / "embedway.db"
