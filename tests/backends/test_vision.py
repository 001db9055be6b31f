"""Models with two towers, opened: facts, precisions, and folders that are damaged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from embedway.backends.open import open_backend
from embedway.errors import InvalidInput, ModelFilesError, SettingsError
from embedway.types import Image, ModelSpec, Output, Pair, Text
from tests.tiny import case
from tests.tiny.pictures import PICTURES


def spec(folder: Path, **settings: str) -> ModelSpec:
    return ModelSpec("tiny", str(folder), **settings)  # type: ignore[arg-type]


def test_the_facts_of_a_model_of_images(tmp_path: Path) -> None:
    """Every image costs the same, known before it is decoded."""
    with closing(open_backend(spec(case.load("clip").write(tmp_path), dtype="fp32"))) as backend:
        facts = backend.facts
        assert (facts.tasks, facts.modalities, facts.outputs) == ({"multimodal"}, {"text", "image"}, Output.DENSE)
        assert facts.image_tokens == backend.prepare(Image(PICTURES["wide"])).cost == 17
        with pytest.raises(InvalidInput, match="scores no pairs"):
            backend.prepare(Pair("a", "b"))


def test_a_model_of_texts_says_so(tmp_path: Path) -> None:
    with closing(open_backend(spec(case.load("bert-cls").write(tmp_path), dtype="fp32"))) as backend:
        assert (backend.facts.modalities, backend.facts.image_tokens) == ({"text"}, 0)
        with pytest.raises(InvalidInput, match="reads no images"):
            backend.prepare(Image(PICTURES["wide"]))


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_bf16_is_near_fp32(name: str, tmp_path: Path) -> None:
    """Where the processor has it, or emulated."""
    folder = case.load(name).write(tmp_path)
    wanted = case.answers(name)["dense"]
    with closing(open_backend(spec(folder, dtype="bf16"))) as backend:
        features = [backend.prepare(Image(data)) for data in PICTURES.values()] + [backend.prepare(Text("a word"))]
        rows = [outputs.dense for outputs in backend.run(features) if outputs.dense is not None]
    cosines = (np.stack(rows[:-1]) * wanted[-len(PICTURES) :]).sum(1)
    assert cosines.min() > 0.995
    assert np.isfinite(rows[-1]).all()


def test_int8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="reads images too: choose fp32 or bf16"):
        open_backend(spec(case.load("clip").write(tmp_path), dtype="int8"))


@pytest.mark.parametrize("missing", ["visual_projection.weight", "vision_model.embeddings.class_embedding"])
def test_weights_without_a_tensor_are_refused(missing: str, tmp_path: Path) -> None:
    """At load, by its name."""
    folder = case.load("clip").write(tmp_path)
    tensors = {name: tensor.copy() for name, tensor in load_file(folder / "model.safetensors").items()}
    del tensors[missing]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelFilesError, match=missing):
        open_backend(spec(folder))
