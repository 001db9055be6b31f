"""Tokens and texts through the engine, without a pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import InvalidInput, ModelNotFound
from embedway.observe import Metrics
from embedway.types import ModelSpec, Text
from tests.tiny import case

LIMITS = EngineLimits(Budget(2048, 64), 100_000, 60.0, 5.0, 1)


@contextlib.asynccontextmanager
async def serving(spec: ModelSpec) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine([spec], LIMITS, Metrics())
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


@pytest.mark.parametrize("name", ["bert-mean", "scorer-bert", "clip", "late-unseen"])
def test_there_and_back(name: str, tmp_path: Path) -> None:
    """Of every kind of model; the tokens are as many as the backend counts."""

    async def ask() -> None:
        async with serving(ModelSpec("m", str(case.load(name).write(tmp_path)), aliases=("alias",))) as engine:
            (tokens,) = await engine.tokenize("alias", [Text("the test", prompt="")], special=False)
            assert tokens
            assert not any(token.special for token in tokens)
            ids = [token.id for token in tokens]
            assert await engine.decode("m", [ids]) == ["the test"]
            assert len(await engine.spell("m", ids)) == len(ids)

    asyncio.run(ask())


def test_what_is_refused(tmp_path: Path) -> None:
    """Ids that are no tokens, by the list that they are in; and models that there are not."""

    async def ask() -> None:
        async with serving(ModelSpec("m", "fake")) as engine:
            with pytest.raises(InvalidInput, match="the id of no token") as caught:
                await engine.decode("m", [[97], [-3]])
            assert caught.value.item == 1
            with pytest.raises(ModelNotFound):
                await engine.tokenize("nobody", [Text("a")])

    asyncio.run(ask())
