"""Trainings as rows, on both kinds of database, and the parameters that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.catalog import training, workspaces
from embedway.catalog.plan import find_data, inline_rows, read_plan
from embedway.catalog.training import Asked
from embedway.errors import Conflict, DeploymentNotFound, InvalidInput
from embedway.jobs import queue
from embedway.store.actor import Actor
from embedway.store.database import Database
from embedway.store.versions import read_version

ME = Actor("me", "request-1")
WHERE = ("default", "mine")
GIVEN = {"vectors": "[1, 2]\n[3, 4]", "output_dimension": "2"}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.run_now(lambda one: training.create(one, ME, *WHERE, Asked(GIVEN, "größe")))
    yield made
    made.close()


def read(database: Database) -> training.Row:
    return database.run_now(lambda one: training.read(one, *WHERE))


def start(database: Database) -> str:
    return database.run_now(lambda one: training.start(one, ME, *WHERE))


def change(database: Database, **parameters: str) -> None:
    database.run_now(lambda one: training.change(one, ME, training.read(one, *WHERE), Asked(parameters)))


def data(database: Database) -> str:
    return database.run_now(lambda one: training.read_data(one, training.read(one, *WHERE)))


def test_rows_are_kept_apart(database: Database) -> None:
    """What is listed does not hold them; a change of something else leaves them, and other rows replace them."""
    (row,) = database.run_now(partial(training.read_in, workspace="default"), reads=True)
    assert row.parameters == {"vectors": "", "output_dimension": "2"}
    change(database, seed="7")
    assert (read(database).parameters["seed"], data(database)) == ("7", GIVEN["vectors"])
    change(database, texts='"a"', base_model="m")
    assert ("vectors" in read(database).parameters, data(database)) == (False, '"a"')
    with pytest.raises(InvalidInput, match="method"):
        change(database, method="magic")


def test_a_run_at_a_time(database: Database) -> None:
    """While one runs it is neither started again nor changed; what was ceased can be resumed, and nothing else."""
    with pytest.raises(Conflict, match="nothing to cease"):
        database.run_now(lambda one: training.cease(one, ME, *WHERE))
    first = start(database)
    for refused in (start, partial(change, seed="1")):
        with pytest.raises(Conflict, match="is being trained"):
            refused(database)
    with pytest.raises(Conflict, match="was not ceased"):
        database.run_now(lambda one: training.resume(one, ME, *WHERE))
    database.run_now(lambda one: training.cease(one, ME, *WHERE))
    second = database.run_now(lambda one: training.resume(one, ME, *WHERE))
    assert first != second == read(database).job_id


def test_only_the_run_that_counts_is_served(database: Database) -> None:
    """A run that was ceased publishes nothing, whatever it has made, and is void; one that was published is not."""
    start(database)
    late = database.run_now(lambda one: queue.claim(one, [training.KIND], "a"))
    assert late is not None
    database.run_now(lambda one: training.cease(one, ME, *WHERE))
    assert not database.run_now(lambda one: training.publish(one, late, training.read(one, *WHERE)))
    assert database.run_now(lambda one: training.is_void(one, late))
    assert not database.run_now(training.read_served)
    second = start(database)
    job = database.run_now(lambda one: queue.claim(one, [training.KIND], "a"))
    assert job is not None
    before = database.run_now(lambda one: read_version(one, training.VERSION))
    assert database.run_now(lambda one: training.publish(one, job, training.read(one, *WHERE)))
    assert database.run_now(lambda one: read_version(one, training.VERSION)) > before
    assert database.run_now(training.read_served) == {WHERE: second}
    assert not database.run_now(lambda one: training.is_void(one, job))


def test_a_training_that_is_removed_is_cancelled(database: Database) -> None:
    """It serves nobody, and its workspace is free of it."""
    job_id = start(database)
    database.run_now(lambda one: training.remove(one, ME, *WHERE))
    assert database.run_now(lambda one: queue.find(one, job_id)).status == "cancelled"
    with pytest.raises(DeploymentNotFound):
        read(database)


def test_a_workspace_with_a_training_is_not_removed(database: Database) -> None:
    """The error says what is in it."""
    declared = frozenset({"default"})
    new = workspaces.Workspace("acme")
    database.run_now(lambda one: workspaces.create(one, ME, new, declared))
    database.run_now(lambda one: training.create(one, ME, "acme", "t", Asked(GIVEN)))
    with pytest.raises(Conflict, match="1 trained reductions"):
        database.run_now(lambda one: workspaces.remove(one, ME, "acme", declared, lambda connection, name: 0))


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_name_leads_out_of_the_folder(workspace: str, name: str) -> None:
    """Whatever workspace and training are called, their artefacts are three levels below the folder of reductions."""
    root = Path("/data")
    folder = training.folder_of(root, workspace, name, "run")
    assert folder.parts[:3] == ("/", "data", "reductions")
    assert len(folder.parts) == 6
    assert not {"..", "."} & set(folder.parts)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "one of data, vectors, texts"),
        ({"data": "a.jsonl", "texts": '"a"'}, "one of data, vectors, texts"),
        ({"vectors": ""}, "one of data, vectors, texts"),
        ({"data": "a.jsonl"}, "must have output_dimension"),
        ({"texts": '"a"', "output_dimension": "2"}, "Texts need base_model"),
        ({"data": "a.jsonl", "output_dimension": "0"}, "output_dimension is a whole number from 1 to 4000"),
        ({"data": "a.jsonl", "output_dimension": "2.5"}, "output_dimension is a whole number"),
        ({"data": "a.jsonl", "output_dimension": "2", "steps": "20001"}, "steps is a whole number from 1 to 20000"),
        ({"data": "a.jsonl", "output_dimension": "2", "whiten": "true"}, "whiten belongs to the method pca"),
        ({"data": "a.jsonl", "output_dimension": "2", "color": "red"}, "createParameters are data"),
    ],
)
def test_parameters_that_contradict_are_refused(parameters: dict[str, str], said: str) -> None:
    """In one sentence that names them."""
    with pytest.raises(InvalidInput, match=said):
        read_plan(parameters)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for data, beside a file that is not in it."""
    made = tmp_path_factory.mktemp("shared")
    (made / "data" / "deep").mkdir(parents=True)
    (made / "data" / "deep" / "a.jsonl").write_text("")
    (made / "data" / "a.txt").write_text("")
    (made / "secret.jsonl").write_text("")
    (made / "data" / "link").symlink_to(made)
    (made / "data" / "loop").symlink_to(made / "data" / "loop")
    return made


@pytest.mark.parametrize(
    "path",
    ["", ".", "deep", "../secret.jsonl", "link/secret.jsonl", "loop", "a.txt", "gone.jsonl", "\0", "x" * 5000],
)
def test_only_files_below_the_folder_are_data(shared: Path, path: str) -> None:
    """No dots, no link and no absolute path leads out of it."""
    for given_path in (path, str(shared / path)):
        with pytest.raises(InvalidInput):
            find_data(str(shared / "data"), given_path)
    assert find_data(str(shared / "data"), "deep/../deep/a.jsonl") == shared / "data" / "deep" / "a.jsonl"


def test_without_a_folder_no_file_is_data(shared: Path) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidInput, match="tuning_data_dir"):
        find_data(None, "a.jsonl")


@given(st.text())
def test_a_row_of_a_request_keeps_its_number(text: str) -> None:
    """One line each, whatever it holds, so that a refusal names the row that was given."""
    assert inline_rows("vectors", text).count(b"\n") == text.count("\n")
