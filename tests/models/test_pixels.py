"""From a picture to what a network reads; that it is what the libraries do, the tiny networks prove."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embedway.errors import InvalidInput, ModelFilesError
from embedway.models.families import clip, siglip
from embedway.models.pixels import Preparation, cut_middle, keep_shape, read_preparation, unfold


def told(folder: Path, settings: Mapping[str, Any], defaults: Mapping[str, Any] = clip.IMAGES) -> Preparation:
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return read_preparation(folder, defaults)


def test_what_is_not_said_is_the_librarys_own(tmp_path: Path) -> None:
    """An empty file, keys that are null, and single numbers for sizes, as the oldest files have them."""
    empty = told(tmp_path, {})
    assert (empty.shortest, empty.size, empty.crop, empty.resample) == (224, None, (224, 224), Image.Resampling.BICUBIC)
    assert told(tmp_path, {"size": 336, "crop_size": 336, "resample": None, "do_rescale": None}) == told(
        tmp_path, {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}}
    )
    assert told(tmp_path, {"size": 384}, siglip.IMAGES).size == (384, 384)
    assert told(tmp_path, {"size": 384}, siglip.IMAGES).result == (384, 384)


def test_settings_within_the_processors_go_first(tmp_path: Path) -> None:
    """As version 5 saves them; an older file of that name has none."""
    told(tmp_path, {"size": 100})
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": {"size": {"shortest_edge": 50}}}))
    assert read_preparation(tmp_path, clip.IMAGES).shortest == 50
    (tmp_path / "processor_config.json").write_text(json.dumps({"processor_class": "CLIPProcessor"}))
    assert read_preparation(tmp_path, clip.IMAGES).shortest == 100


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": {"shortest_edge": 200, "longest_edge": 300}}, "resized by longest_edge and shortest_edge"),
        ({"size": {"height": 0, "width": 3}}, "no length in pixels"),
        ({"size": "large"}, "damaged"),
        ({"resample": 17}, "damaged"),
        ({"image_mean": [0.5]}, "three colours"),
    ],
)
def test_settings_that_are_not_understood_are_refused(settings: Mapping[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=said):
        told(tmp_path, settings)


def test_a_folder_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match="no preprocessor_config"):
        read_preparation(tmp_path, clip.IMAGES)


def test_steps_can_be_switched_off(tmp_path: Path) -> None:
    """Then the colours come through as they are."""
    names = ("do_resize", "do_center_crop", "do_rescale", "do_normalize")
    plain = told(tmp_path, dict.fromkeys(names, False))
    picture = Image.fromarray(np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3))
    assert np.array_equal(plain.apply(picture), np.asarray(picture).transpose(2, 0, 1))
    assert plain.result is None


def test_the_longer_side_keeps_its_proportion() -> None:
    """Rounded down, as height and width."""
    assert keep_shape(Image.new("RGB", (100, 333)), 50) == (166, 50)
    assert keep_shape(Image.new("RGB", (333, 100)), 50) == (50, 166)
    assert keep_shape(Image.new("RGB", (7, 7)), 50) == (50, 50)


def test_the_middle_is_cut_out_and_what_is_missing_is_black() -> None:
    pixels = np.arange(1, 1 + 5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    assert np.array_equal(cut_middle(pixels, (2, 2)), pixels[1:3, 1:3])
    wide = cut_middle(pixels, (2, 7))
    assert np.array_equal(wide[:, 2:6], pixels[1:3])
    assert not wide[:, :2].any()
    assert not wide[:, 6:].any()


def test_a_patch_is_a_row(tmp_path: Path) -> None:
    """Channel by channel within it; what is left over is not seen."""
    pixels = np.random.default_rng(1).standard_normal((3, 7, 9)).astype(np.float32)
    rows = unfold(pixels, 3)
    assert rows.shape == (6, 27)
    assert np.array_equal(rows[4], pixels[:, 3:6, 3:6].reshape(-1))


def test_a_line_of_pixels_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    """Its shorter side would grow to hundreds of pixels, and its longer one with it."""
    with pytest.raises(InvalidInput, match="30000 x 1 pixels is too long and thin"):
        told(tmp_path, {}).apply(Image.new("RGB", (30_000, 1)))
