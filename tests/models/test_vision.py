"""What folders with two towers say of themselves, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedway.errors import InvalidInput, ModelFilesError, UnsupportedModel
from embedway.models.families import clip, tower
from embedway.models.source import ModelFiles, find_model, whole
from embedway.models.vision import (
    VisionReader,
    VisionRecipe,
    canonicalize,
    cut_behind_end,
    fill_up,
    read_vision,
    sees_images,
)
from embedway.types import ModelSpec, Text
from tests.tiny import case


def read(folder: Path, **settings: Any) -> VisionRecipe:
    spec = ModelSpec("tiny", str(folder), **settings)
    files = find_model(spec.source)
    assert sees_images(files)
    return read_vision(files, spec)


def change(folder: Path, name: str, edit: Callable[[Any], Any]) -> Path:
    """Rewrite a JSON file of the folder with what `edit` makes of it."""
    path = folder / name
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    return folder


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return case.load("clip").write(tmp_path)


@pytest.fixture
def composed(tmp_path: Path) -> Path:
    return case.load("siglip-modules").write(tmp_path)


def test_a_plain_folder(plain: Path) -> None:
    """Without modules there are no prompts, and CLIP fills nothing up."""
    recipe = read(plain)
    assert (recipe.dimensions, recipe.max_tokens, recipe.image_tokens) == (40, 32, 17)
    assert (recipe.filling, recipe.prompts.by_role) == (None, {"query": "", "document": ""})


def test_a_folder_of_modules(composed: Path) -> None:
    """The card's prompts go before texts; SigLIP has no row in front of its patches."""
    change(composed, "config_sentence_transformers.json", lambda told: {**told, "prompts": {"query": "a photo of "}})
    recipe = read(composed)
    assert (recipe.dimensions, recipe.max_tokens, recipe.image_tokens, recipe.filling) == (64, 24, 16, "<pad>")
    assert recipe.prompts.by_role == {"query": "a photo of ", "document": ""}
    assert read(composed, query_prompt="").prompts.by_role["query"] == ""


@pytest.mark.parametrize("kinds", [["CLIPModel"], ["CLIPModel", "Normalize"], ["Transformer"]])
def test_clip_as_sentence_transformers_saves_it(plain: Path, kinds: list[str]) -> None:
    """Under its old name or its new one, at the root; whether it normalises makes no difference here."""
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": ""} for kind in kinds]
    (plain / "modules.json").write_text(json.dumps(modules))
    assert read(plain).dimensions == 40


def test_clip_in_a_folder_below(tmp_path: Path) -> None:
    """As the library saved it before version 5; other modules behind it are not left out in silence."""
    case.load("clip").write(tmp_path / "0_CLIPModel")
    modules = [{"type": "sentence_transformers.models.CLIPModel", "path": "0_CLIPModel"}]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert read(tmp_path).dimensions == 40
    (tmp_path / "modules.json").write_text(json.dumps([*modules, {"type": "sentence_transformers.models.Dense"}]))
    with pytest.raises(ModelFilesError, match="has no config"):
        read(tmp_path)


def test_a_cached_snapshot_without_image_settings_is_not_whole(plain: Path) -> None:
    """Then they are fetched, never guessed."""
    files = ModelFiles(plain, "cache", "")
    assert whole(files, bare=True)
    (plain / "processor_config.json").rename(plain / "preprocessor_config.json")
    assert whole(files, bare=True)
    (plain / "preprocessor_config.json").unlink()
    assert not whole(files, bare=True)


def test_the_digest_changes_with_what_the_vectors_depend_on(plain: Path) -> None:
    """Also when only images are prepared differently."""
    before = read(plain).digest
    assert read(plain).digest == before
    assert read(plain, max_tokens=9).digest != before
    change(plain, "processor_config.json", lambda told: {"image_processor": {**told["image_processor"], "resample": 2}})
    assert read(plain).digest != before


def test_a_config_leaves_out_what_the_library_knows() -> None:
    """An older one says it twice, and the second counts."""
    found = tower.complete({"text_config": {"hidden_size": 8}, "vision_config": None}, clip.TEXT, clip.VISION)
    assert (found["text_config"]["hidden_size"], found["text_config"]["max_position_embeddings"]) == (8, 77)
    assert found["vision_config"] == clip.VISION
    twice = {"text_config": {"hidden_size": 8, "eos_token_id": 2}, "text_config_dict": {"hidden_size": 16}}
    text = tower.complete(twice, clip.TEXT, clip.VISION)["text_config"]
    assert (text["hidden_size"], text["eos_token_id"]) == (16, 49407)


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        ("config.json", lambda told: {**told, "projection_dim": 0}, "projection_dim"),
        ("config.json", lambda told: {**told, "text_config": 3}, "damaged"),
        (
            "config.json",
            lambda told: {**told, "text_config": {**told["text_config"], "eos_token_id": [2, 3]}},
            "not the id of one token",
        ),
        (
            "config.json",
            lambda told: {**told, "vision_config": {**told["vision_config"], "image_size": [32, 48]}},
            "image_size",
        ),
        (
            "config.json",
            lambda told: {**told, "vision_config": {**told["vision_config"], "image_size": 48}},
            "32 x 32 pixels, the network takes 48 x 48",
        ),
        (
            "config.json",
            lambda told: {**told, "vision_config": {**told["vision_config"], "num_channels": 1}},
            "1 colours",
        ),
        (
            "config.json",
            lambda told: {**told, "vision_config": {**told["vision_config"], "hidden_act": "mish"}},
            "'mish'",
        ),
        (
            "processor_config.json",
            lambda told: {"image_processor": {**told["image_processor"], "do_center_crop": False}},
            "no one size",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(plain: Path, name: str, edit: Callable[[Any], Any], said: str) -> None:
    """In one sentence that says what is wrong."""
    with pytest.raises(ModelFilesError, match=said):
        read(change(plain, name, edit))


def test_modules_that_are_not_known_are_refused(composed: Path) -> None:
    dense = {"type": "sentence_transformers.base.modules.dense.Dense", "path": "2_Dense"}
    with pytest.raises(UnsupportedModel, match="its modules are Transformer, Normalize, Dense"):
        read(change(composed, "modules.json", lambda told: [*told, dense]))
    with pytest.raises(UnsupportedModel, match="code of its own"):
        read(change(composed, "modules.json", lambda told: [{"type": "custom.Tower", "path": ""}]))


def test_images_processed_by_modules_otherwise_are_refused(composed: Path) -> None:
    """Or they would be prepared as the folder does not mean it."""
    settings = {"processing_kwargs": {"image": {"size": {"height": 8, "width": 8}}}}
    with pytest.raises(UnsupportedModel, match="image"):
        read(change(composed, "sentence_bert_config.json", lambda told: {**told, **settings}))


def test_filling_that_is_hidden_from_siglip_is_refused(composed: Path) -> None:
    """The library's vectors would be others."""
    names = ["input_ids", "attention_mask"]
    with pytest.raises(UnsupportedModel, match="hides from the network"):
        read(change(composed, "tokenizer_config.json", lambda told: {**told, "model_input_names": names}))


def test_the_longest_text(plain: Path) -> None:
    """What is asked for, at most the positions."""
    assert read(plain, max_tokens=9).max_tokens == 9
    with pytest.raises(ModelFilesError, match="between 1 and 32"):
        read(plain, max_tokens=33)
    assert read(change(plain, "tokenizer_config.json", lambda told: {})).max_tokens == 32


def test_clip_reads_up_to_the_end_token() -> None:
    """The first of its id; in old configs, which say 2, the highest id; without one, the first token."""
    ids = np.array([5, 9, 7, 3, 7], dtype=np.int32)
    assert cut_behind_end(ids, 7).tolist() == [5, 9, 7]
    assert cut_behind_end(ids, 2).tolist() == [5, 9]
    assert cut_behind_end(ids, 4).tolist() == [5]


def test_siglip_reads_texts_of_one_length() -> None:
    ids = np.array([5, 9], dtype=np.int32)
    assert fill_up(ids, 4, 1).tolist() == [5, 9, 1, 1]
    assert fill_up(ids, 4, 1, "left").tolist() == [1, 1, 5, 9]


def test_texts_for_siglips_own_tokenizer_are_made_canonical(composed: Path) -> None:
    """With the prompt: lower case, no punctuation, single spaces. Other tokenizers do what their file says."""
    assert canonicalize("  A PHOTO,\tof/a\n <Cat>! ") == "a photo ofa cat"
    prompts = {"query": "This: ", "document": ""}
    change(composed, "config_sentence_transformers.json", lambda told: {**told, "prompts": prompts})
    change(composed, "tokenizer_config.json", lambda told: {**told, "tokenizer_class": "SiglipTokenizer"})
    files, spec = find_model(str(composed)), ModelSpec("tiny", "")
    reader = VisionReader(files, read(composed), spec)
    assert reader.read_text(Text("A  cat!", "query")).ids.tolist() == reader.read_text(Text("this a cat")).ids.tolist()
    change(composed, "tokenizer_config.json", lambda told: {**told, "tokenizer_class": "GemmaTokenizer"})
    other = VisionReader(files, read(composed), spec)
    assert other.read_text(Text("A cat!")).ids.tolist() != other.read_text(Text("a cat")).ids.tolist()


def test_a_text_too_long_can_be_refused(plain: Path) -> None:
    """Else it says that it was cut."""
    long = Text("word " * 100)
    files = find_model(str(plain))
    assert VisionReader(files, read(plain), ModelSpec("tiny", "")).read_text(long).cut
    with pytest.raises(InvalidInput, match="longer than the 32 tokens"):
        VisionReader(files, read(plain), ModelSpec("tiny", "", truncation="error")).read_text(long)
