"""Workspaces and deployments in the store, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection

from embedway.access import keyrecords
from embedway.access.apikeys import Scope
from embedway.catalog import deployments, workspaces
from embedway.catalog.deployments import Row, with_token
from embedway.catalog.workspaces import Workspace
from embedway.errors import Conflict, DeploymentNotFound, InvalidInput, WorkspaceNotFound
from embedway.settings import hash_secret
from embedway.store.actor import Actor
from embedway.store.audit import read_events
from embedway.store.database import Database
from embedway.store.versions import read_version

ME = Actor("me", "request-1")
DECLARED = frozenset({"default"})
SHOP = with_token(Row("shop", "acme", "m", "embedding", ""), "a-token", "sealed")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def count(keys: int) -> Callable[[Connection, str], int]:
    return lambda connection, workspace: keys


def create(database: Database, name: str) -> Workspace:
    new = Workspace(name, facts={"type": "standard", "quota": {"docSize": 1, "odd": "\x00"}})
    return database.run_now(partial(workspaces.create, actor=ME, new=new, declared=DECLARED))


def read(database: Database, name: str) -> Workspace:
    return database.run_now(partial(workspaces.read, name=name, declared=DECLARED), reads=True)


def test_a_workspace_is_read_as_it_was_made(database: Database) -> None:
    """With all that was said of it."""
    made = create(database, "acme")
    assert read(database, "acme") == made
    assert made.facts == {"type": "standard", "quota": {"docSize": 1, "odd": "\x00"}}
    with pytest.raises(Conflict):
        create(database, "acme")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65, "a\n"])
def test_names_that_no_workspace_has(database: Database, name: str) -> None:
    """They stand in paths, and in the names of resources."""
    with pytest.raises(InvalidInput):
        create(database, name)


def test_the_default_one_is_always_there(database: Database) -> None:
    """It needs no row, gets one when it is described, and cannot be made or removed."""
    assert read(database, "default") == Workspace("default")
    with pytest.raises(Conflict):
        create(database, "default")
    database.run_now(
        partial(workspaces.describe, actor=ME, name="default", description="Everyone's", declared=DECLARED)
    )
    assert read(database, "default").description == "Everyone's"
    with pytest.raises(Conflict):
        database.run_now(partial(workspaces.remove, actor=ME, name="default", declared=DECLARED, count_keys=count(0)))
    assert [one.name for one in database.run_now(lambda one: workspaces.read_all(one, DECLARED))] == ["default"]


@pytest.mark.parametrize(
    ("scope", "admin"), [(Scope(("acme",)), False), (Scope(("lab", "acme")), False), (Scope(("acme",)), True)]
)
def test_a_workspace_that_a_key_names_stays(database: Database, scope: Scope, admin: bool) -> None:
    """Beside other workspaces too, and for managing: a new workspace of that name would be the old key's."""
    create(database, "acme")
    key, _ = database.run_now(partial(keyrecords.create, actor=ME, scope=scope, admin=admin))
    database.run_now(partial(keyrecords.create, actor=ME, scope=Scope()))
    remove = partial(workspaces.remove, actor=ME, name="acme", declared=DECLARED, count_keys=keyrecords.count_reaching)
    with pytest.raises(Conflict, match="1 API keys"):
        database.run_now(remove)
    database.run_now(partial(keyrecords.revoke, actor=ME, key_id=key.id))
    database.run_now(remove)


def describe(database: Database, name: str, description: str | None) -> Workspace:
    return database.run_now(
        partial(workspaces.describe, actor=ME, name=name, description=description, declared=DECLARED)
    )


def test_to_say_nothing_else_changes_nothing(database: Database) -> None:
    """An update without a description keeps the one that is there, and what else was said."""
    made = create(database, "acme")
    described = describe(database, "acme", "A shop")
    assert describe(database, "acme", None).description == read(database, "acme").description == "A shop"
    assert (described.facts, described.created_s) == (made.facts, made.created_s)
    assert describe(database, "default", None).description == ""


def both(database: Database, first: Callable[[Connection], object], second: Callable[[Connection], object]) -> None:
    """Run both in a transaction each; the second begins while the first has done its work and is not committed."""
    done, go = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        first(connection)
        done.set()
        assert go.wait(10)

    with ThreadPoolExecutor(2) as threads:
        holding = threads.submit(database.run_now, hold)
        assert done.wait(10)
        waiting = threads.submit(database.run_now, second)
        time.sleep(0.2)
        go.set()
        holding.result()
        waiting.result()


def test_a_description_does_not_undo_a_deletion(database: Database) -> None:
    """One that comes while the workspace is being deleted finds none."""
    create(database, "acme")
    remove = partial(workspaces.remove, actor=ME, name="acme", declared=DECLARED, count_keys=count(0))
    late = partial(workspaces.describe, actor=ME, name="acme", description="Back", declared=DECLARED)
    with pytest.raises(WorkspaceNotFound):
        both(database, remove, late)
    with pytest.raises(WorkspaceNotFound):
        read(database, "acme")


def test_two_first_descriptions_of_a_declared_workspace(database: Database) -> None:
    """Neither fails; the later one holds."""
    one, two = (
        partial(workspaces.describe, actor=ME, name="default", description=text, declared=DECLARED)
        for text in ("One", "Two")
    )
    both(database, one, two)
    assert read(database, "default").description == "Two"


@pytest.mark.parametrize("name", ["nowhere", "\x00", "'; DROP TABLE workspace"])
def test_an_unknown_workspace(database: Database, name: str) -> None:
    """Reading, describing and removing say so."""
    for work in (
        partial(workspaces.read, name=name, declared=DECLARED),
        partial(workspaces.describe, actor=ME, name=name, description="", declared=DECLARED),
        partial(workspaces.remove, actor=ME, name=name, declared=DECLARED, count_keys=count(0)),
    ):
        with pytest.raises(WorkspaceNotFound):
            database.run_now(work)  # type: ignore[arg-type]


@pytest.mark.parametrize("description", ["\x00", "x" * 1001])
def test_descriptions_that_are_not_kept(database: Database, description: str) -> None:
    """PostgreSQL holds no NUL."""
    create(database, "acme")
    for work in (
        partial(workspaces.describe, actor=ME, name="acme", description=description, declared=DECLARED),
        partial(deployments.create, actor=ME, row=replace(SHOP, description=description)),
    ):
        with pytest.raises(InvalidInput):
            database.run_now(work)  # type: ignore[arg-type]


def test_a_workspace_that_holds_something_stays(database: Database) -> None:
    """The refusal counts what it holds; empty it goes."""
    create(database, "acme")
    database.run_now(partial(deployments.create, actor=ME, row=SHOP))
    remove = partial(workspaces.remove, actor=ME, name="acme", declared=DECLARED)
    with pytest.raises(Conflict, match="2 API keys, 1 deployments"):
        database.run_now(partial(remove, count_keys=count(2)))
    database.run_now(partial(deployments.remove, actor=ME, workspace="acme", name="shop"))
    database.run_now(partial(remove, count_keys=count(0)))
    with pytest.raises(WorkspaceNotFound):
        read(database, "acme")


def test_a_deployment_is_changed_and_counted(database: Database) -> None:
    """Each change is an event, a new edition and a new version."""
    database.run_now(partial(deployments.create, actor=ME, row=SHOP))
    database.run_now(partial(deployments.switch, actor=ME, workspace="acme", name="shop", running=False))
    (row,) = database.run_now(deployments.read_all, reads=True)
    assert (row.running, row.edition, row.deployment.token_sha256) == (False, 2, hash_secret("a-token"))
    assert database.run_now(lambda one: read_version(one, deployments.VERSION)) == 2
    events = database.run_now(lambda one: read_events(one, subject="deployment/shop"), reads=True)
    assert [event.action for event in events] == ["CreateDeployment", "CeaseDeployment"]
    assert "a-token" not in repr(events)


def test_a_sealed_token_is_taken_once(database: Database) -> None:
    """And is gone from the row."""
    database.run_now(partial(deployments.create, actor=ME, row=SHOP))

    def take() -> str:
        return database.run_now(lambda one: deployments.take_token(one, ME, deployments.read(one, "acme", "shop")))

    assert [take(), take()] == ["sealed", ""]


def test_a_deployment_of_another_workspace_is_not_found(database: Database) -> None:
    """Nor one that is not there; its name is taken all the same."""
    database.run_now(partial(deployments.create, actor=ME, row=SHOP))
    for workspace, name in (("other", "shop"), ("acme", "nothing"), ("acme", "\x00")):
        with pytest.raises(DeploymentNotFound):
            database.run_now(partial(deployments.remove, actor=ME, workspace=workspace, name=name))
    with pytest.raises(Conflict):
        database.run_now(partial(deployments.create, actor=ME, row=replace(SHOP, workspace="other")))


@pytest.mark.parametrize("token", ["", "short", "x" * 257, "a token with spaces", "ü" * 20])
def test_tokens_that_are_none(token: str) -> None:
    """Too easily guessed, or nothing that a header can carry."""
    with pytest.raises(InvalidInput):
        deployments.check_token(token)
