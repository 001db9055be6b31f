"""The registry's verbs, on SQLite and on PostgreSQL; what a probe finds is given by each test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from embedway.catalog import instances
from embedway.catalog.catalog import VERSION, Actor, Catalog, Parts, Rules
from embedway.catalog.row import Finding, Page
from embedway.catalog.verbatim import write
from embedway.errors import (
    Conflict,
    InstanceNotFound,
    InvalidInput,
    ModelNotFound,
    RemoteFailed,
    SecretRequired,
    Unavailable,
)
from embedway.store.database import Database
from embedway.store.schema import event, instance, model
from embedway.store.vault import Vault
from embedway.store.versions import read_version
from embedway.types import RemoteSpec

ACTOR = Actor("tester", "request-1")
SECRET = "OS-v0abcdefghijk6vvs"
CONTENT: dict[str, Any] = {
    "modelType": "text_embedding",
    "dimension": 8,
    "url": "https://a.example/v1",
    "request": {"header": {"Authorization": f"Bearer {SECRET}"}, "requestBody": '{"input": "%{input}"}'},
    "response": {"embeddings": "$.data[*].embedding"},
}


class World:
    """A catalogue, and what the tests decide of the world around it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.finding = Finding("", 12.0)
        self.asked: list[RemoteSpec] = []
        self.changes = 0
        self.check_s = 0.0
        self.before_probe: Callable[[], Awaitable[None]] | None = None
        self.vault = Vault(("master key",), folder / "key")
        rules = Rules(instances=frozenset({"ha-cn-declared"}), private=True, timeout_s=5.0)
        self.catalog = Catalog(
            database, self.vault, rules, Parts(self._check, self._probe, lambda name: name == "global", self._changed)
        )

    async def create(self, name: str = "m", instance: str = "default", **more: Any) -> None:
        await self.catalog.create(instance, name, json.dumps(CONTENT | more).encode(), ACTOR)

    async def modify(self, content: Any = None, status: str | None = None, **more: Any) -> None:
        given = None if content is None else json.dumps(content).encode()
        await self.catalog.modify("default", "m", given, status, ACTOR, **more)

    def events(self) -> list[tuple[str, str, str, str]]:
        columns = (event.c.who, event.c.action, event.c.subject, event.c.request_id)
        return [tuple(row) for row in self.database.run_now(lambda c: c.execute(select(*columns)).all())]

    def version(self) -> int:
        return self.database.run_now(lambda connection: read_version(connection, VERSION))

    async def _check(self, remote: RemoteSpec) -> None:
        await asyncio.sleep(self.check_s)
        if "refused" in remote.url:
            raise InvalidInput("refused", "$.content.url")

    async def _probe(self, remote: RemoteSpec) -> Finding:
        self.asked.append(remote)
        if self.before_probe is not None:
            await self.before_probe()
        return self.finding

    async def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """An empty catalogue; the test runs once for each kind of database."""
    database = Database(database_url)
    yield World(database, tmp_path)
    database.close()


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await work

    return asyncio.run(main())


def test_a_model_is_created_listed_and_served(world: World) -> None:
    """With its secret in what is served, and masked in what is shown; audited, and told to other processes."""

    async def scenario() -> None:
        await world.create()
        row = await world.catalog.get("default", "m")
        assert (row.kind, row.status, row.dimension, row.latency_ms) == ("text_embedding", "ok", 8, 12.0)
        assert SECRET not in write(row.content) + row.sealed
        assert await world.catalog.list("default", Page()) == (1, [row])
        (spec,) = await world.catalog.specs()
        assert (spec.name, spec.namespace, spec.source) == ("m", "default", "https://a.example:443")
        assert (spec.required, spec.keep_alive_s, spec.disabled) == (False, 60.0, False)
        assert spec.remote is not None
        assert spec.remote == world.asked[0]
        assert (spec.remote.headers, spec.remote.private, spec.remote.timeout_s) == (
            {"Authorization": f"Bearer {SECRET}"},
            True,
            5.0,
        )
        whole = await world.catalog.whole("default", "m")
        assert (whole.remote, whole.secrets) == (spec.remote, [f"Bearer {SECRET}"])

    run(scenario())
    assert world.events() == [("tester", "searchengine:CreateModel", "instance/default/model/m", "request-1")]
    assert (world.version(), world.changes) == (1, 1)


def test_what_fails_the_probe_is_stored_with_its_reason(world: World) -> None:
    """It is no error; its secret is not in the reason, whatever the service says."""
    world.finding = Finding(f"it said\n{SECRET}\x00!")
    run(world.create())
    row = run(world.catalog.get("default", "m"))
    assert (row.status, row.reason) == ("error", "it said OS-v0********6vvs !")
    assert [spec.disabled for spec in run(world.catalog.specs())] == [False]


def test_names_that_are_taken(world: World) -> None:
    """By a model of the instance, or by the configuration; another instance may have the same."""

    async def scenario() -> None:
        await world.create()
        await world.create(instance="ha-cn-declared")
        with pytest.raises(Conflict, match="already has a model 'm'"):
            await world.create()
        with pytest.raises(Conflict, match="belongs to the configuration"):
            await world.create("global")

    run(scenario())
    assert [(one.namespace, one.name) for one in run(world.catalog.specs())] == [
        ("default", "m"),
        ("ha-cn-declared", "m"),
    ]


def test_of_many_creates_of_one_name_one_wins(world: World) -> None:
    """The others are told that the name is taken; there is one row and one event."""

    async def scenario() -> list[BaseException | None]:
        gate = asyncio.Barrier(8)
        world.before_probe = lambda: _pass(gate)
        return await asyncio.gather(*(world.create() for _ in range(8)), return_exceptions=True)

    found = run(scenario())
    assert sum(one is None for one in found) == 1
    assert sum(isinstance(one, Conflict) for one in found) == 7
    assert len(world.events()) == 1


async def _pass(gate: asyncio.Barrier) -> None:
    await gate.wait()


def test_instances(world: World) -> None:
    """`default` and declared ones are there, a stored one once it was added; all else is not found, with any verb."""

    async def scenario() -> None:
        for name in ("nowhere", "", "a\x00b"):
            with pytest.raises(InstanceNotFound):
                await world.create(instance=name)
            for call in (
                world.catalog.get(name, "m"),
                world.catalog.list(name, Page()),
                world.catalog.delete(name, "m", ACTOR),
                world.catalog.modify(name, "m", b"{}", None, ACTOR),
                world.catalog.whole(name, "m"),
            ):
                with pytest.raises(InstanceNotFound):
                    await call
        await world.database.run(lambda connection: instances.add(connection, "stored", "tester"))
        await world.create(instance="stored")
        with pytest.raises(Conflict, match="1 models"):
            await world.database.run(lambda connection: instances.remove(connection, "stored", "tester"))
        await world.catalog.delete("stored", "m", ACTOR)
        await world.database.run(lambda connection: instances.remove(connection, "stored", "tester"))
        with pytest.raises(InstanceNotFound):
            await world.create(instance="stored")

    run(scenario())
    assert [row[1].partition(":")[2] for row in world.events()] == [
        "CreateInstance",
        "CreateModel",
        "DeleteModel",
        "DeleteInstance",
    ]


def test_modify_replaces_key_by_key(world: World) -> None:
    """Keys that are not given stay, unknown ones too; the secret stays sealed and whole; the times tell of it."""

    async def scenario() -> None:
        await world.create(unknown=[1.0])
        before = await world.catalog.get("default", "m")
        await world.modify(
            {"dimension": 4, "request": {"requestBody": "{}", "header": before.content["request"]["header"]}}
        )  # type: ignore[call-overload,index]
        after = await world.catalog.get("default", "m")
        assert (after.dimension, after.content["unknown"]) == (4, ["1.0"])
        assert after.created_s == before.created_s
        assert after.updated_s > before.updated_s
        assert world.asked[-1].headers == {"Authorization": f"Bearer {SECRET}"}
        assert world.asked[-1].body == "{}"
        with pytest.raises(SecretRequired):
            await world.modify({"url": "https://b.example/v1"})
        with pytest.raises(InvalidInput):
            await world.modify({"url": "https://a.example/refused"})
        with pytest.raises(ModelNotFound):
            await world.catalog.modify("default", "other", b"{}", None, ACTOR)
        assert await world.catalog.get("default", "m") == after

    run(scenario())
    assert [row[1] for row in world.events()] == ["searchengine:CreateModel", "searchengine:ModifyModel"]


def test_a_model_is_switched_off_and_on(world: World) -> None:
    """Off without being asked anything; it stays off when its definition changes; on, it is probed anew."""

    async def scenario() -> None:
        await world.create()
        await world.modify(status="forbidden")
        assert len(world.asked) == 1
        assert [spec.disabled for spec in await world.catalog.specs()] == [True]
        await world.modify({"dimension": 4})
        assert (await world.catalog.get("default", "m")).status == "forbidden"
        world.finding = Finding("it is broken")
        await world.modify(status="ok")
        row = await world.catalog.get("default", "m")
        assert (row.status, row.reason) == ("error", "it is broken")
        for status in ("error", "", "OK"):
            with pytest.raises(InvalidInput):
                await world.modify(status=status)

    run(scenario())


def test_modifications_at_the_same_time_are_all_there(world: World) -> None:
    """Each is made on what the others have made; one that always comes too late is told so."""

    async def scenario() -> None:
        await world.create()
        await asyncio.gather(world.modify({"a": 1}), world.modify({"b": 2}), world.modify({"c": 3}))
        content = (await world.catalog.get("default", "m")).content
        assert (content["a"], content["b"], content["c"]) == ("1", "2", "3")

        async def another() -> None:
            before, world.before_probe = world.before_probe, None
            await world.modify({"d": 4})
            world.before_probe = before

        world.before_probe = another
        with pytest.raises(Unavailable, match="by others"):
            await world.modify({"e": 5})

        async def gone() -> None:
            world.before_probe = None
            await world.catalog.delete("default", "m", ACTOR)

        world.before_probe = gone
        with pytest.raises(ModelNotFound):
            await world.modify({"e": 5})

    run(scenario())


def test_a_verb_is_done_before_the_vendors_client_gives_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe gets what the look-up of the host has left; a modification that meets others is not tried for ever."""
    monkeypatch.setattr("embedway.catalog.catalog.ANSWER_S", 1.6)
    monkeypatch.setattr("embedway.catalog.catalog._AGAIN_S", 1.2)

    async def scenario() -> None:
        world.check_s = 0.3
        await world.create()
        assert 1.0 <= world.asked[-1].timeout_s <= 1.3

        async def another() -> None:
            before, world.before_probe = world.before_probe, None
            await world.modify({"d": 4})
            world.before_probe = before

        world.before_probe = another
        asked = len(world.asked)
        with pytest.raises(Unavailable, match="by others"):
            await world.modify({"e": 5})
        assert len(world.asked) == asked + 2

    run(scenario())


def test_dry_runs_store_nothing(world: World) -> None:
    """They check, probe, and say as an error what would have been stored as a status."""
    content = json.dumps(CONTENT).encode()

    async def scenario() -> None:
        await world.catalog.create("default", "m", content, ACTOR, dry_run=True)
        with pytest.raises(ModelNotFound):
            await world.catalog.get("default", "m")
        await world.create()
        await world.modify({"dimension": 4}, dry_run=True)
        await world.modify(status="forbidden", dry_run=True)
        world.finding = Finding("it is broken")
        with pytest.raises(RemoteFailed, match="it is broken"):
            await world.catalog.create("default", "n", content, ACTOR, dry_run=True)
        with pytest.raises(RemoteFailed, match="it is broken"):
            await world.modify({"dimension": 4}, dry_run=True)
        with pytest.raises(Conflict):
            await world.catalog.create("default", "m", content, ACTOR, dry_run=True)
        assert (await world.catalog.get("default", "m")).dimension == 8

    run(scenario())
    assert (len(world.events()), world.version()) == (1, 1)


def test_pages(world: World) -> None:
    """The oldest first, by name and kind; what is beyond the last page is empty, and the total is that of all."""

    async def scenario() -> None:
        for number in range(5):
            kind = "image_embedding" if number % 2 else "text_embedding"
            await world.create(f"m{number}", modelType=kind)
        total, rows = await world.catalog.list("default", Page(2, 2))
        assert (total, [row.name for row in rows]) == (5, ["m2", "m3"])
        assert await world.catalog.list("default", Page(4, 2)) == (5, [])
        total, rows = await world.catalog.list("default", Page(kind="image_embedding"))
        assert (total, [row.name for row in rows]) == (2, ["m1", "m3"])
        total, rows = await world.catalog.list("default", Page(name="m4"))
        assert (total, [row.name for row in rows]) == (1, ["m4"])
        assert await world.catalog.list("default", Page(name="m\x00")) == (0, [])

    run(scenario())


def test_probes_follow_what_a_model_does(world: World) -> None:
    """One process claims what is due, never what is forbidden; a status follows both ways without a new version, and
    what was forbidden meanwhile stays so.
    """

    async def scenario() -> None:
        for name in ("a", "b", "off"):
            await world.create(name)
        await world.catalog.modify("default", "off", None, "forbidden", ACTOR)
        version = world.version()
        assert await world.catalog.claim(time.time() - 60, 4) == []
        due_s = time.time()
        claims = await asyncio.gather(*(world.catalog.claim(due_s, 2) for _ in range(8)))
        claimed = [row for rows in claims for row in rows]
        assert sorted(row.name for row in claimed) == ["a", "b"]
        world.finding = Finding("it is away")
        for row in claimed:
            await world.catalog.probe(row)
        states = {row.name: (row.status, row.reason) for row in (await world.catalog.list("default", Page()))[1]}
        assert states == {"a": ("error", "it is away"), "b": ("error", "it is away"), "off": ("forbidden", "")}
        world.finding = Finding("", 3.0)
        for row in (await world.catalog.list("default", Page()))[1]:
            await world.catalog.probe(row)
        states = {row.name: (row.status, row.reason) for row in (await world.catalog.list("default", Page()))[1]}
        assert states == {"a": ("ok", ""), "b": ("ok", ""), "off": ("forbidden", "")}
        assert world.version() == version

    run(scenario())


def test_a_probe_of_an_older_definition_says_nothing_of_a_newer(world: World) -> None:
    """What was modified while it was asked keeps the status of its own probe."""

    async def scenario() -> None:
        await world.create()
        (old,) = await world.catalog.claim(time.time() + 1, 4)
        await world.modify({"dimension": 4})
        world.finding = Finding("of the old one")
        await world.catalog.probe(old)
        assert (await world.catalog.get("default", "m")).status == "ok"

    run(scenario())


def test_without_the_master_key(world: World) -> None:
    """Models are shown and removed; what needs a secret says so, others are served."""

    async def scenario() -> None:
        await world.create()
        await world.create("open", request={"requestBody": "{}"})
        other = World(world.database, Path("/nowhere"))
        other.vault = Vault(("another key",), Path("/nowhere/key"))
        other.catalog._vault = other.vault
        assert (await other.catalog.get("default", "m")).name == "m"
        assert [spec.name for spec in await other.catalog.specs()] == ["open"]
        with pytest.raises(Unavailable, match="log"):
            await other.catalog.whole("default", "m")
        await other.catalog.delete("default", "m", ACTOR)

    run(scenario())


def test_what_the_tables_hold(world: World) -> None:
    """No secret stands in any of them, and a row that nobody can read keeps no other from being served."""

    async def scenario() -> None:
        await world.create()
        tables = [
            await world.database.run(lambda c, t=table: c.execute(select(t)).all())
            for table in (model, event, instance)
        ]
        assert SECRET not in repr(tables)
        broken = dict(next(iter(await world.database.run(lambda c: c.execute(select(model)).mappings().all()))))
        broken |= {"name": "broken", "content": '{"modelType": "text_embedding"}', "secrets": ""}
        await world.database.run(lambda c: c.execute(insert(model).values(broken)))
        assert [spec.name for spec in await world.catalog.specs()] == ["m"]

    run(scenario())
