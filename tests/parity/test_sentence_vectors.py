"""Term weights and images through the sentence backend, beside the library called directly."""

from __future__ import annotations

import io
import logging
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures
from sentence_transformers import SentenceTransformer, SparseEncoder

from embedway.backends.base import Backend
from embedway.backends.open import open_backend
from embedway.errors import InvalidInput
from embedway.types import Image, ModelSpec, Output, Outputs, Pair, Text
from tests.parity.library import run, save_seeing, save_sparse
from tests.tiny import case
from tests.tiny.builders.builder import LIMIT_TOKENS
from tests.tiny.pictures import PICTURES
from tests.tiny.texts import TEXTS

LONG = "word " * 200
FORTY = [[*TEXTS, LONG][index * 7 % (len(TEXTS) + 1)] for index in range(40)]


def open_model(folder: Path, **more: object) -> Backend:
    return open_backend(ModelSpec("m", str(folder), dtype="fp32", device="cpu", **more))  # type: ignore[arg-type]


def spread(outputs: list[Outputs], width: int) -> np.ndarray:
    """The weights as rows over the whole vocabulary."""
    rows = np.zeros((len(outputs), width), dtype=np.float32)
    for row, one in zip(rows, outputs, strict=True):
        assert one.sparse is not None
        assert one.sparse.weights.dtype == np.float32
        assert one.sparse.ids.dtype == np.int32
        assert np.all(np.diff(one.sparse.ids) > 0)
        assert np.all(one.sparse.weights != 0)
        row[one.sparse.ids] = one.sparse.weights
    return rows


def stack_vectors(outputs: list[Outputs]) -> np.ndarray:
    return np.stack([one.dense for one in outputs if one.dense is not None])


def picture(data: bytes) -> Pictures.Image:
    return Pictures.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.parametrize("together", [1, 40])
@pytest.mark.parametrize("most", [None, 20])
def test_a_sparse_encoder_that_no_family_covers_gives_the_librarys_weights(
    most: int | None, together: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All of them, or as many as its card says. Chosen by itself, and said so."""
    folder = save_sparse(tmp_path, max_active_dims=most)
    with caplog.at_level(logging.INFO), closing(open_model(folder)) as backend:
        outputs = run(backend, [Text(text, outputs=Output.SPARSE) for text in FORTY], together)
        features = backend.prepare(Text(LONG, outputs=Output.SPARSE))
    assert "run by sentence-transformers" in caplog.text
    facts = backend.facts
    assert (facts.backend, facts.outputs, facts.dimensions) == ("sentence", Output.SPARSE, 0)
    assert (features.cost, features.cut) == (LIMIT_TOKENS, True)
    wanted = SparseEncoder(str(folder), device="cpu").encode(FORTY, convert_to_sparse_tensor=False).numpy()
    assert wanted.std(axis=0).max() > 0.1, "the weights are too much alike to prove anything"
    assert spread(outputs, wanted.shape[1]) == pytest.approx(wanted, abs=1e-4)
    assert most is None or max(len(one.sparse.ids) for one in outputs if one.sparse) == most


def test_a_sparse_encoder_has_prompts_by_role_and_takes_no_pairs(tmp_path: Path) -> None:
    folder = save_sparse(tmp_path, prompts={"query": "find this: ", "document": ""})
    library = SparseEncoder(str(folder), device="cpu")
    with closing(open_model(folder)) as backend:
        items = [Text(TEXTS[0], role, Output.SPARSE) for role in ("query", "document")]
        found = run(backend, items)
        with pytest.raises(InvalidInput, match="reads no pairs"):
            backend.prepare(Pair("a", "b"))
    options = {"convert_to_sparse_tensor": False}
    wanted = [library.encode_query(TEXTS[0], **options), library.encode_document(TEXTS[0], **options)]
    assert spread(found, len(wanted[0])) == pytest.approx(np.stack([one.numpy() for one in wanted]), abs=1e-5)


@pytest.mark.parametrize("name", ["clip-modules", "siglip-modules"])
def test_texts_and_images_get_the_librarys_vectors(name: str, tmp_path: Path) -> None:
    """Together in one batch, and each alone."""
    folder = case.load(name).write(tmp_path)
    library = SentenceTransformer(str(folder), device="cpu")
    plain = [data for label, data in PICTURES.items() if label in ("tall", "wide", "exact", "large")]
    items = [Text(TEXTS[0]), *map(Image, plain), Text(TEXTS[1])]
    wanted = np.stack([library.encode(one) for one in (TEXTS[0], *map(picture, plain), TEXTS[1])])
    with closing(open_model(folder, backend="sentence")) as backend:
        assert (backend.facts.tasks, backend.facts.modalities) == ({"multimodal"}, {"text", "image"})
        assert backend.prepare(items[1]).cost == (32 // 8) ** 2
        for together in (1, len(items)):
            assert stack_vectors(run(backend, items, together)) == pytest.approx(wanted, abs=1e-5)


def test_a_broken_image_harms_no_neighbour(tmp_path: Path) -> None:
    folder = case.load("clip-modules").write(tmp_path)
    with closing(open_model(folder, backend="sentence")) as backend:
        good = Image(PICTURES["wide"])
        before = stack_vectors(run(backend, [good]))
        for broken in (b"no image", PICTURES["wide"][:60]):
            with pytest.raises(InvalidInput, match="image"):
                backend.prepare(Image(broken))
        assert np.array_equal(stack_vectors(run(backend, [good])), before)


def test_a_model_of_texts_refuses_images(tmp_path: Path) -> None:
    folder = case.load("bert-mean").write(tmp_path)
    with closing(open_model(folder, backend="sentence")) as backend:
        assert backend.facts.modalities == {"text"}
        with pytest.raises(InvalidInput, match="no images"):
            backend.prepare(Image(PICTURES["wide"]))


def test_a_language_model_that_sees_gives_the_librarys_vectors(tmp_path: Path) -> None:
    """Qwen2-VL, as gme-Qwen2-VL and Ops-MM-embedding are built on it: images of any shape, prompts as instructions."""
    pytest.importorskip("torchvision", reason="transformers' processor of Qwen2-VL needs torchvision")
    folder = save_seeing(tmp_path, prompts={"query": "Find what it shows.", "document": ""})
    library = SentenceTransformer(str(folder), device="cpu")
    small = [PICTURES[label] for label in ("tall", "wide", "exact")]
    with closing(open_model(folder)) as backend:
        texts = [Text(TEXTS[0]), Text(TEXTS[0], "query"), Text(TEXTS[1])]
        items = [*texts, *map(Image, small)]
        found = {together: stack_vectors(run(backend, items, together)) for together in (1, len(items))}
        costs = [backend.prepare(item).cost for item in items]
        with pytest.raises(InvalidInput, match="more patches than"):
            backend.prepare(Image(PICTURES["large"]))
    assert (backend.facts.backend, backend.facts.tasks) == ("sentence", {"multimodal"})
    wanted = [
        library.encode_document(TEXTS[0]),
        library.encode_query(TEXTS[0]),
        library.encode_document(TEXTS[1]),
        *(library.encode(picture(data)) for data in small),
    ]
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3
    for vectors in found.values():
        assert vectors == pytest.approx(np.stack(wanted), abs=1e-4)
    assert costs[3:] == [library.preprocess([picture(data)])["input_ids"].shape[1] for data in small]
