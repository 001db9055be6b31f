"""A model behind a trained reduction: what it gives, to whom it belongs, and what it costs."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.backends.base import Outcome
from embedway.backends.fake import FakeBackend
from embedway.backends.open import open_backend
from embedway.backends.reduced import ReducedBackend, open_reduced
from embedway.engine.batch import Budget
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import InvalidInput, ModelFilesError, RemoteFailed, SetupError
from embedway.models.reduction import CARD, TENSORS, Base, Reduction, read_reduction
from embedway.observe import Metrics
from embedway.types import EmbedCall, Features, ModelSpec, Output, Outputs, Text
from embedway.vectors import shorten, unit_rows
from tests.reduce.artefacts import card, make, rotation, rows

LIMITS = EngineLimits(batch=Budget(2048, 128), queue_tokens=100_000, hang_s=30, drain_s=5, threads=2)
WIDTH = 16
WIDE = Reduction(card(384, 64), np.asarray(rotation(384), dtype=np.float32), np.zeros(384, dtype=np.float32))
MANY = rows(40, 384)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artefact for `fake:16` that gives 6 dimensions."""
    return make(tmp_path_factory.mktemp("reduced") / "made", WIDTH, 6)


def spec(folder: Path, **changes: object) -> ModelSpec:
    return dataclasses.replace(ModelSpec("small", "fake:16", reduction=str(folder)), **changes)


def test_vectors_are_the_bases_through_the_map(folder: Path) -> None:
    """All components, of length 1; the facts say how many are given if nothing is asked for, and at most."""
    texts = ["a", "b", "other"]
    base = FakeBackend(ModelSpec("base", "fake:16"))
    with closing(open_backend(spec(folder))) as backend:
        found = backend.run([backend.prepare(Text(text)) for text in texts])
        whole = np.stack([one.dense for one in base.run([base.prepare(Text(text)) for text in texts])])
        assert np.allclose(np.stack([one.dense for one in found]), whole @ rotation(WIDTH).T, atol=1e-6)
        facts = backend.facts
        assert (facts.dimensions, facts.most_dimensions, facts.matryoshka) == (6, 16, (1, 16))
        assert facts.revision.startswith("fake+")


def test_the_engine_cuts_to_any_length_up_to_the_bases(folder: Path) -> None:
    """6 if nothing is asked for; each shorter vector is the longer one's beginning; 0 and 17 are refused."""

    async def scenario() -> None:
        engine = LocalEngine([spec(folder)], LIMITS, Metrics())
        await engine.start()
        try:

            async def embed(dimensions: int | None) -> np.ndarray:
                return (await engine.embed(EmbedCall("small", [Text("a")], dimensions))).vectors[0]

            whole = await embed(16)
            assert (await embed(None)).shape == (6,)
            for length in range(1, 17):
                assert np.allclose(await embed(length), shorten(whole, length), atol=1e-6)
            for wrong in (0, 17):
                with pytest.raises(InvalidInput, match=f"may have 1 to 16 dimensions, not {wrong}"):
                    await embed(wrong)
        finally:
            await engine.stop()

    asyncio.run(scenario())


@given(st.integers(1, 40), st.integers(0, 39))
def test_a_vector_does_not_depend_on_its_neighbours(count: int, place: int) -> None:
    """To the bit, in a batch of whatever size."""
    place %= count
    assert np.array_equal(WIDE.apply(MANY[:count])[place], WIDE.apply(MANY[place : place + 1])[0])


def test_an_item_that_failed_stays_failed(folder: Path) -> None:
    """A backend that says which item failed is heard; the others' vectors are reduced."""

    class Failing(FakeBackend):
        def run(self, batch: Sequence[Features]) -> Sequence[Outcome]:
            return [RemoteFailed("no answer"), *super().run(batch[1:])]

    backend = ReducedBackend(Failing(ModelSpec("base", "fake:16")), read_reduction(folder), "small")
    failed, good = backend.run([backend.prepare(Text(text)) for text in ("a", "b")])
    assert isinstance(failed, RemoteFailed)
    assert isinstance(good, Outputs)
    assert good.dense is not None
    assert np.linalg.norm(good.dense) == pytest.approx(1, abs=1e-6)


def changed(folder: Path, place: Path, change: Callable[[Path], object]) -> Path:
    """A copy of the artefact with something about it changed."""
    place.mkdir()
    for name in (CARD, TENSORS):
        (place / name).write_bytes((folder / name).read_bytes())
    change(place)
    return place


def edit(**changes: object) -> Callable[[Path], object]:
    def change(place: Path) -> None:
        kept = msgspec.json.decode((place / CARD).read_bytes())
        (place / CARD).write_bytes(msgspec.json.encode(kept | changes))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit(base={"model": "other/model", "revision": "abc"}), "trained on 'other/model', revision abc, and the"),
        (edit(base=None), "trained on vectors of no named model"),
        (edit(format=2), "has the format 2, and this version reads 1"),
        (edit(dimension=17), "17 of 16 dimensions cannot be"),
        (edit(width=15, dimension=6), "components"),
        (edit(width="x"), "is damaged"),
        (lambda place: (place / TENSORS).unlink(), "reduction.safetensors"),
        (lambda place: (place / TENSORS).write_bytes(b"\0" * 20), "reduction.safetensors"),
        (lambda place: (place / CARD).unlink(), "holds no trained reduction"),
    ],
)
def test_what_does_not_belong_or_is_damaged_is_refused_at_load(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    """With a sentence that says what is wrong."""
    with pytest.raises(SetupError, match=said):
        open_backend(spec(changed(folder, tmp_path / "copy", change)))


def test_another_width_is_refused(folder: Path) -> None:
    """Both lengths are named."""
    with pytest.raises(ModelFilesError, match="of 16 dimensions, and the model's have 8"):
        open_backend(spec(folder, source="fake:8"))


def test_a_refused_base_is_closed(folder: Path) -> None:
    """Its memory would else stay taken."""
    closed = []

    class Closing(FakeBackend):
        def close(self) -> None:
            closed.append(self)

    with pytest.raises(SetupError):
        open_reduced(Closing(ModelSpec("base", "fake:8")), str(folder), "small")
    assert len(closed) == 1


def test_the_bundled_model_keeps_its_meaning_and_takes_hardly_longer(tmp_path: Path) -> None:
    """A rotation of all 384 components keeps every cosine, and costs less than 2 % of a short text's pass."""
    base = open_backend(ModelSpec("m", "all-MiniLM-L6-v2", dtype="fp32"))
    artefact = make(tmp_path / "made", 384, 128, Base("all-MiniLM-L6-v2", base.facts.revision))
    with closing(ReducedBackend(base, read_reduction(artefact), "m")) as reduced:
        batch = [base.prepare(Text(text)) for text in ("a short text", "words " * 60, "the same, longer " * 20)] * 8
        assert reduced.facts.outputs == base.facts.outputs
        whole = np.stack([one.dense for one in base.run(batch)])
        found = np.stack([one.dense for one in reduced.run(batch)])
        assert np.allclose(found @ found.T, unit_rows(whole) @ unit_rows(whole).T, atol=1e-5)
        assert Output.TOKENS in reduced.facts.outputs
        pass_s = min(_seconds(lambda: base.run(batch)) for _ in range(3))
        map_s = min(_seconds(lambda: reduced._reduction.apply(whole)) for _ in range(5))
        assert map_s < 0.02 * pass_s, (map_s, pass_s)


def _seconds(work: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s
