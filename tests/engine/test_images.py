"""Images and texts as items of one engine: in one space, in one batch, each for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedway.engine.batch import Budget
from embedway.engine.batcher import IMAGES_TOGETHER
from embedway.engine.engine import EngineLimits, LocalEngine
from embedway.errors import InvalidInput, Overloaded
from embedway.models import vision
from embedway.observe import Metrics
from embedway.types import EmbedCall, EmbedResult, Image, Item, ModelSpec, Output, Pair, Text
from tests.tiny import case
from tests.tiny.pictures import PICTURES
from tests.tiny.texts import TEXTS

LIMITS = EngineLimits(Budget(2048, 64), 100_000, 60.0, 5.0, 2)
IMAGES = [Image(data) for data in PICTURES.values()]
BROKEN = Image(PICTURES["large"][:500])


def ask(
    folder: Path, name: str, *calls: Sequence[Item], limits: EngineLimits = LIMITS
) -> list[EmbedResult | BaseException]:
    """Serve one tiny model and ask it all calls at once."""

    async def scenario() -> list[EmbedResult | BaseException]:
        engine = LocalEngine([ModelSpec("tiny", str(case.load(name).write(folder)), dtype="fp32")], limits, Metrics())
        await engine.start()
        try:
            asked = (engine.embed(EmbedCall("tiny", items)) for items in calls)
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await engine.stop()

    return asyncio.run(scenario())


def vectors(result: EmbedResult | BaseException) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert isinstance(result, EmbedResult), result
    return np.stack(result.vectors)


@pytest.mark.parametrize("name", ["clip", "siglip-modules"])
def test_texts_and_images_of_one_call(name: str, tmp_path: Path) -> None:
    """Mixed in any order, each gets its own vector; tokens and patches are counted together."""
    wanted = case.answers(name)
    items: list[Item] = [*(Text(text) for text in TEXTS), *IMAGES]
    order = np.random.default_rng(3).permutation(len(items))
    result = ask(tmp_path, name, [items[index] for index in order])[0]
    assert np.allclose(vectors(result), wanted["dense"][order], atol=1e-5)
    assert isinstance(result, EmbedResult)
    assert result.usage.tokens == wanted["counts"].sum()
    assert result.usage.characters == sum(map(len, TEXTS))


def test_neighbours_do_not_change_a_vector(tmp_path: Path) -> None:
    """To the bit, in float32."""
    alone, among = ask(tmp_path / "a", "clip", [IMAGES[2]]), ask(tmp_path / "b", "clip", [*IMAGES, Text("a word")])
    assert np.array_equal(vectors(alone[0])[0], vectors(among[0])[2])


def test_a_broken_image_is_named_and_its_neighbours_are_answered(tmp_path: Path) -> None:
    """Those of other calls that wait beside it."""
    before, broken, after = ask(tmp_path, "clip", IMAGES[:3], [*IMAGES[:6], BROKEN, Text("a word")], [Text(TEXTS[0])])
    wanted = case.answers("clip")["dense"]
    assert np.allclose(vectors(before), wanted[len(TEXTS) : len(TEXTS) + 3], atol=1e-5)
    assert np.allclose(vectors(after), wanted[:1], atol=1e-5)
    assert isinstance(broken, InvalidInput)
    assert broken.item == 6
    assert broken.message == "The image looks like JPEG but is damaged or cut short: send the whole file."


def test_images_are_decoded_side_by_side_and_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the threads that prepare items, a few images at a time."""
    used = set()
    together = threading.Barrier(2, timeout=30)
    read = vision.read_image

    def watched(data: bytes) -> object:
        if threading.current_thread() not in used:
            used.add(threading.current_thread())
            together.wait()
        return read(data)

    monkeypatch.setattr(vision, "read_image", watched)
    result = ask(tmp_path, "clip", IMAGES[: 2 * IMAGES_TOGETHER])[0]
    assert len(vectors(result)) == 2 * IMAGES_TOGETHER
    assert len(used) == 2
    assert all(thread.name.startswith("prepare") for thread in used)


def test_a_full_queue_refuses_images_before_they_are_decoded(tmp_path: Path) -> None:
    """By their patches, which are known before."""
    limits = EngineLimits(Budget(2048, 64), 100, 60.0, 5.0, 1)
    results = ask(tmp_path, "clip", IMAGES[:5], IMAGES[:5], limits=limits)
    assert isinstance(results[0], EmbedResult)
    assert isinstance(results[1], Overloaded)


def test_a_model_of_texts_takes_no_image(tmp_path: Path) -> None:
    """It says which item is meant."""
    (refused,) = ask(tmp_path, "bert-mean", [Text("a word"), IMAGES[0]])
    assert isinstance(refused, InvalidInput)
    assert (refused.item, refused.message) == (
        1,
        "This model reads texts only: send images to a model that embeds them.",
    )


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Pair("a", "b"), "embeds texts and images; it scores nothing"),
        (Text("a", outputs=Output.SPARSE), "gives no weights of terms"),
        (Image(b"", Output.SCORES), "embeds texts and images; it scores nothing"),
    ],
)
def test_a_model_of_images_gives_vectors_only(item: Item, said: str, tmp_path: Path) -> None:
    (refused,) = ask(tmp_path, "clip", [item])
    assert isinstance(refused, InvalidInput)
    assert refused.message == f"This model {said}."
