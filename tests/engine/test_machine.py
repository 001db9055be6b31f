"""Any order of loads, swaps, unloads and calls: names lead to what they should, memory is kept, nothing leaks."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from embedway.engine.engine import LocalEngine
from embedway.errors import ModelFilesError, ModelNotFound, NoRoom, SettingsError, Unavailable
from embedway.observe import Metrics
from embedway.types import ModelSpec

from .scenes import LIMITS, Factory, call, need, right

EACH = 10
BUDGET = 25
NAMES = ("a", "b", "c")
SPECS = st.builds(
    ModelSpec,
    name=st.sampled_from(NAMES),
    source=st.sampled_from(["fake:8", "fake:12"]),
    aliases=st.sampled_from([(), ("x",), ("y",), ("a",)]).map(tuple),
    revision=st.sampled_from([None, None, "2", "broken"]),
    required=st.just(False),
    keep_alive_s=st.sampled_from([None, 0.0, 1000.0]),
)


class Models(RuleBasedStateMachine):
    """`served` is what should answer, by the models' names: a model that was written down, then compared."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.factory = Factory()
        limits = dataclasses.replace(LIMITS, memory_bytes=BUDGET)
        self.engine = LocalEngine((), limits, Metrics(), opener=self.factory, estimator=need(EACH))
        self.served: dict[str, ModelSpec] = {}
        self.do(self.engine.start())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    @rule(spec=SPECS, drain=st.booleans())
    def load(self, spec: ModelSpec, drain: bool) -> None:
        others = {name for one in self.served.values() if one.name != spec.name for name in (one.name, *one.aliases)}
        clash = len({spec.name, *spec.aliases}) < 1 + len(spec.aliases) or bool(others & {spec.name, *spec.aliases})
        try:
            self.do(self.engine.load(spec, drain))
        except SettingsError:
            assert clash
        except ModelFilesError:
            assert spec.revision == "broken"
        except NoRoom:
            assert len(self.factory.open) * EACH + EACH > BUDGET
        else:
            assert not clash
            self.served[spec.name] = spec

    @rule(name=st.sampled_from((*NAMES, "x", "y")))
    def unload(self, name: str) -> None:
        owner = self.owner(name)
        try:
            self.do(self.engine.unload(name))
        except ModelNotFound:
            assert owner is None
        else:
            assert owner is not None
            del self.served[owner.name]

    @rule(wanted=st.lists(SPECS, max_size=3, unique_by=lambda spec: spec.name))
    def reconcile(self, wanted: list[ModelSpec]) -> None:
        names = [name for spec in wanted for name in (spec.name, *spec.aliases)]
        try:
            changes = self.do(self.engine.reconcile(wanted))
        except SettingsError:
            assert len(set(names)) < len(names)
            return
        assert len(set(names)) == len(names)
        before, self.served = self.served, {}
        for spec in wanted:
            if spec.name not in changes.failed:
                self.served[spec.name] = spec
        gained = {name for spec in self.served.values() for name in (spec.name, *spec.aliases)}
        for name in set(changes.failed) & set(before):  # it serves on, under the names that nobody else was given
            left = tuple(alias for alias in before[name].aliases if alias not in gained)
            self.served[name] = dataclasses.replace(before[name], aliases=left)
        for name in set(changes.failed) - set(before):  # it stays, to say why: taken off, so that the names are free
            self.do(self.engine.unload(name))

    @rule(name=st.sampled_from((*NAMES, "x", "y")))
    def embed(self, name: str) -> None:
        owner = self.owner(name)
        try:
            result = self.do(self.engine.embed(call("some text", name)))
        except ModelNotFound:
            assert owner is None
        except Unavailable:
            assert owner is not None
            assert len(self.factory.open) * EACH + EACH > BUDGET
        else:
            assert owner is not None
            assert result.model == owner.name
            assert right(result, "some text")
            assert f"fake:{len(result.vectors[0])}" == owner.source

    @precondition(lambda self: any(spec.keep_alive_s == 0.0 for spec in self.served.values()))
    @rule()
    def rest(self) -> None:
        """Time passes."""
        self.do(asyncio.sleep(0.02))

    @invariant()
    def memory_is_kept(self) -> None:
        """What is open is what is reserved, within the budget."""
        reserved = sum(status.reserved_bytes for status in self.engine.models())
        assert reserved <= BUDGET
        assert len(self.factory.open) * EACH <= BUDGET
        assert self.factory.misused == []

    @invariant()
    def models_are_listed(self) -> None:
        """Every model that should answer is listed, ready, under its own spec."""
        assert {status.spec.name: status.spec for status in self.engine.models()} == self.served
        assert all(status.ready for status in self.engine.models())

    def owner(self, name: str) -> ModelSpec | None:
        return next((spec for spec in self.served.values() if name in (spec.name, *spec.aliases)), None)

    def teardown(self) -> None:
        self.do(self.engine.stop())
        assert self.factory.open == []
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


Models.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
)
TestModels = Models.TestCase
