"""Where the database is: the forms of its URL, the folder of a user's data, and what of a URL is secret."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from embedway.errors import SettingsError
from embedway.store.folder import data_folder, default_file

_FORMS = "write sqlite:////absolute/file.db or postgresql://user:password@host/database"
_SECRET = re.compile(r"://[^:/?#]*:([^@]*)@|[?&](?:ssl)?password=([^&#]*)")


class Address:
    """A checked URL of a database. Raises `SettingsError`, without a word of the URL that could be a secret.

    `file` is the SQLite file, None for PostgreSQL. `folder` is where a key file belongs: beside the SQLite file, else
    in the folder of the user's data.
    """

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        kind = parsed.get_backend_name()
        self.file: Path | None = None
        if kind == "sqlite":
            if not parsed.database or parsed.database == ":memory:" or parsed.host or parsed.query:
                raise SettingsError(
                    "The database URL must name a file and nothing else: write sqlite:////absolute/file.db."
                )
            self.file = Path(parsed.database).expanduser().absolute()
            self.url = URL.create("sqlite+pysqlite", database=str(self.file))
        elif kind in ("postgresql", "postgres"):
            if find_spec("psycopg") is None:
                raise SettingsError("A PostgreSQL database needs its driver: pip install 'embedway[postgres]'.")
            self.url = parsed.set(drivername="postgresql+psycopg")
        else:
            raise SettingsError(f"The database URL is of a kind that is not known here: {_FORMS}.")
        self.folder = self.file.parent if self.file else data_folder()
        self._secrets = _secrets(url, parsed)

    def __str__(self) -> str:
        """Which database it is, without passwords."""
        if self.file is not None:
            return str(self.file)
        return f"{self.url.host or 'PostgreSQL'}/{self.url.database or ''}"

    def redact(self, text: str) -> str:
        """`text` without the passwords of the URL, for what a driver says of a failure."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        _ = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise SettingsError(f"The database URL cannot be read: {_FORMS}.") from None
    if "@" in (parsed.host or ""):  # else the rest of the password would be looked up as a host, and logged
        raise SettingsError("The database URL has two @: write an @ of the password as %40.")
    return parsed


def _secrets(url: str, parsed: URL) -> list[str]:
    """The passwords of a URL, as they are and as they are written in it; the longest first."""
    options = (parsed.query.get("password"), parsed.query.get("sslpassword"))
    meant = [one for one in (parsed.password, *options) if isinstance(one, str)]
    written = [one for groups in _SECRET.findall(url) for one in groups]
    return sorted({one for one in (*meant, *map(quote, meant), *written) if one}, key=len, reverse=True)


def default_url() -> str:
    """The file that is used when no database is configured."""
    return URL.create("sqlite", database=str(default_file())).render_as_string()
