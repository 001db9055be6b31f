"""Backups: the same rows in either database, or nothing at all."""

from __future__ import annotations

import hashlib
import signal
import stat
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select

from embedway.errors import SettingsError
from embedway.jobs import queue
from embedway.store.audit import record
from embedway.store.backup import read_backup, write_backup
from embedway.store.database import Database
from embedway.store.restore import restore_backup
from embedway.store.schema import REVISION, event, instance, job_log
from embedway.store.vault import Vault
from embedway.store.versions import bump, read_version

from .rows import Rows, fill, read

VAULT = Vault(["master"], Path("/nonexistent"))


@pytest.fixture
def filled(database: Database) -> Database:
    database.run_now(lambda connection: fill(connection, VAULT))
    return database


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    """Change a backup and give it the digest of what is in it then."""
    *lines, last = path.read_bytes().replace(old, new).splitlines(keepends=True)
    changed = orjson.loads(last) | {"sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    path.write_bytes(b"".join(lines) + orjson.dumps(changed) + b"\n")


def without_trace(rows: Rows) -> Rows:
    """Without what a restoration adds: its own event, and new numbers of versions."""
    events = [row for row in rows["event"] if row["action"] != "restore"]
    return rows | {"event": events, "version": [{"name": row["name"]} for row in rows["version"]]}


def test_a_backup_of_one_kind_is_restored_into_the_other(
    filled: Database, other_database: Database, tmp_path: Path
) -> None:
    """Every value of every row is as it was; secrets are sealed in the file and readable afterwards."""
    counts = write_backup(filled, tmp_path / "b")
    assert counts == {name: len(rows) for name, rows in filled.run_now(read).items()}
    assert restore_backup(other_database, tmp_path / "b", "me") == counts
    there = other_database.run_now(read)
    assert without_trace(there) == without_trace(filled.run_now(read))
    assert [VAULT.unseal(row["secret"]) for row in there["access_key"]] == ["s1", "s2"]
    assert b"OS-v0" not in (tmp_path / "b").read_bytes()
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def test_after_a_restoration_the_database_goes_on(filled: Database, other_database: Database, tmp_path: Path) -> None:
    """New rows get new ids, and all who watch see other versions than before, whichever were higher."""
    write_backup(filled, tmp_path / "b")
    for _ in range(7):
        other_database.run_now(lambda connection: bump(connection, "models"))
    restore_backup(other_database, tmp_path / "b", "me")
    assert other_database.run_now(lambda connection: read_version(connection, "models")) == 8
    assert other_database.run_now(lambda connection: read_version(connection, "keys")) == 2
    other_database.run_now(lambda connection: record(connection, "AK1", "CreateModel", "later"))
    last = other_database.run_now(read)["event"][-2:]
    assert [(row["id"], row["action"], row["who"]) for row in last] == [(4, "restore", "me"), (5, "CreateModel", "AK1")]
    line = insert(job_log).values(job_id="j", at_s=2.0, line="later")
    other_database.run_now(lambda connection: connection.execute(line))
    assert [row["id"] for row in other_database.run_now(read)["job_log"]] == [1, 2, 3]


def test_only_an_empty_database_is_filled_unless_it_is_to_be_replaced(filled: Database, tmp_path: Path) -> None:
    """The refusal says what is there, and changes nothing."""
    write_backup(filled, tmp_path / "b")
    filled.run_now(lambda connection: connection.execute(insert(instance).values(id="new", created_s=0)))
    before = filled.run_now(read)
    with pytest.raises(SettingsError, match=r"instance 3.*--replace"):
        restore_backup(filled, tmp_path / "b", "me")
    assert filled.run_now(read) == before
    restore_backup(filled, tmp_path / "b", "me", replace=True)
    assert [row["id"] for row in filled.run_now(read)["instance"]] == ["ha-cn-x", "ha-cn-y"]


def test_large_rows_are_never_many_in_memory(
    database: Database, other_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs with images of 256 KiB, 25 MiB in all: neither way holds more of them at a time than the bound says."""
    for module in ("backup", "restore"):
        monkeypatch.setattr(f"embedway.store.{module}.MOST_CHARACTERS", 2**20)

    def add(connection: Connection) -> None:
        for _ in range(100):
            queue.add(connection, "k", "default", {"image": "x" * 2**18})

    database.run_now(add)
    other_database.run_now(lambda connection: None)
    assert peak(lambda: write_backup(database, tmp_path / "b"))["job"] == 100
    assert peak(lambda: restore_backup(other_database, tmp_path / "b", "me"))["job"] == 100


def peak(work: Callable[[], Mapping[str, int]]) -> Mapping[str, int]:
    """Do it within 12 MiB of Python's memory: some copies of what is held, on its way."""
    tracemalloc.start()
    try:
        done = work()
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    finally:
        tracemalloc.stop()
    return done


def test_a_backup_is_one_moment(database: Database, tmp_path: Path) -> None:
    """While another writes pairs of rows, one in each of two tables, a backup holds both or none."""
    stop = threading.Event()

    def write_pair(connection: Connection) -> None:
        record(connection, "w", "x", "y")
        count = len(connection.scalars(select(event.c.id)).all())
        connection.execute(insert(instance).values(id=f"i{count}", created_s=0))

    def write() -> None:
        while not stop.is_set():
            database.run_now(write_pair)

    database.run_now(write_pair)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = [write_backup(database, tmp_path / f"b{number}") for number in range(5)]
    finally:
        stop.set()
        thread.join()
    assert all(counts["event"] == counts["instance"] for counts in found)
    assert found[-1]["event"] > found[0]["event"]


def test_a_damaged_backup_changes_nothing(filled: Database, tmp_path: Path) -> None:
    """Cut in the middle, cut at the end of a line, with a changed row, with more behind its end, or something else."""
    write_backup(filled, tmp_path / "b")
    data, before = (tmp_path / "b").read_bytes(), filled.run_now(read)
    lines = data.splitlines(keepends=True)
    damaged = (
        data[:700],
        b"".join(lines[:-1]),
        data.replace(b"AK1", b"AK9"),
        data + b"{}\n",
        b"",
        b"precious\n",
        b"[]",
    )
    for content in (*damaged, b"".join([lines[0], *lines[2:]])):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(SettingsError, match=r"cut off or damaged|no backup"):
            restore_backup(filled, tmp_path / "b", "me", replace=True)
    assert filled.run_now(read) == before


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a backup."""
    folder = tmp_path_factory.mktemp("sound")
    database = Database(f"sqlite:///{folder / 'x.db'}")
    database.run_now(lambda connection: fill(connection, VAULT))
    write_backup(database, folder / "b")
    database.close()
    return (folder / "b").read_bytes()


@given(data=st.data())
def test_no_single_byte_of_a_backup_can_be_another(
    data: st.DataObject, sound: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nor can it end anywhere before its end."""
    at = data.draw(st.integers(0, len(sound) - 2))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != sound[at]))
    path = tmp_path_factory.getbasetemp() / "changed"
    for content in (sound[:at] + bytes([value]) + sound[at + 1 :], sound[:at]):
        path.write_bytes(content)
        with pytest.raises(SettingsError):
            list(read_backup(path))


def test_a_backup_that_cannot_be_stored_changes_nothing(filled: Database, tmp_path: Path) -> None:
    """Its digest is right, but two rows have one key: what was deleted and inserted before is undone."""
    write_backup(filled, tmp_path / "b")
    before = filled.run_now(read)
    rewrite(tmp_path / "b", b'"id":"ha-cn-y"', b'"id":"ha-cn-x"')
    with pytest.raises(SettingsError, match="does not fit"):
        restore_backup(filled, tmp_path / "b", "me", replace=True)
    assert filled.run_now(read) == before


def test_a_backup_of_other_tables_is_refused(filled: Database, tmp_path: Path) -> None:
    """Another revision, with the version that can restore it; and rows with columns that there are not."""
    write_backup(filled, tmp_path / "b")
    before, own = filled.run_now(read), f'"revision":"{REVISION}"'.encode()
    for old, new, told in (
        (own, b'"revision":"0000"', r"revision 0000 .* with Embedway \d"),
        (b'"revision":"0000"', own, None),
        (b'"disabled":', b'"switched_off":', "damaged"),
    ):
        rewrite(tmp_path / "b", old, new)
        if told is None:
            continue
        with pytest.raises(SettingsError, match=told):
            restore_backup(filled, tmp_path / "b", "me", replace=True)
    assert filled.run_now(read) == before


def test_a_restoration_that_is_killed_changes_nothing(filled: Database, tmp_path: Path) -> None:
    """`kill -9` when everything was deleted and half of it filled in again."""
    write_backup(filled, tmp_path / "b")
    filled.run_now(lambda connection: connection.execute(delete(event)))
    before = filled.run_now(read)
    url = filled.address.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.store.restorer", url, str(tmp_path / "b")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        assert filled.run_now(read, reads=True) == before
        process.send_signal(signal.SIGKILL)
    assert filled.run_now(read) == before
    restore_backup(filled, tmp_path / "b", "me", replace=True)
    assert len(filled.run_now(read)["event"]) == 4


def test_a_backup_replaces_no_file_and_leaves_no_part(filled: Database, tmp_path: Path) -> None:
    """The database's own file, named by mistake, is as it was; where the folder is missing that is said."""
    (tmp_path / "b").write_text("precious")
    with pytest.raises(SettingsError, match="replaces nothing"):
        write_backup(filled, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "precious"
    with pytest.raises(SettingsError, match="cannot be written"):
        write_backup(filled, tmp_path / "nowhere" / "b")
    assert not [path for path in tmp_path.iterdir() if path.name not in ("b", "store")]
