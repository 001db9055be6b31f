"""Tensors by name."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from embedway.errors import ModelFilesError
from embedway.models.weights import Weights


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    """float16 and bfloat16 alike; the numbers are those stored."""
    path = tmp_path / "model.safetensors"
    numbers = np.array([1.5, -0.25, 3.0])
    save_file({"half": numbers.astype(np.float16), "brain": numbers.astype(ml_dtypes.bfloat16)}, path)
    weights = Weights([path])
    for name in ("half", "brain"):
        assert weights.tensor(name).dtype == np.float32
        assert weights.tensor(name).tolist() == numbers.tolist()


def test_a_task_models_prefix_is_passed_over(tmp_path: Path) -> None:
    """`bert.x` answers to `x`, where the file has such names."""
    path = tmp_path / "model.safetensors"
    save_file({"bert.x": np.ones(2, dtype=np.float32)}, path)
    assert "x" in Weights([path], ("bert.",))
    assert Weights([path], ("bert.",)).tensor("x").tolist() == [1, 1]


def test_shards_are_one_set_of_tensors(tmp_path: Path) -> None:
    """A name is found in whichever file holds it."""
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in paths:
        save_file({path.stem: np.ones(1, dtype=np.float32)}, path)
    weights = Weights(paths)
    assert "a" in weights
    assert "b" in weights


def test_what_is_missing_misshapen_or_damaged_is_named(tmp_path: Path) -> None:
    """Each in one sentence, with the tensor or the file."""
    path = tmp_path / "model.safetensors"
    save_file({"x": np.ones((2, 3), dtype=np.float32)}, path)
    with pytest.raises(ModelFilesError, match="no tensor 'y'"):
        Weights([path]).tensor("y")
    with pytest.raises(ModelFilesError, match=r"\[2, 3\].*\[3, 2\]"):
        Weights([path]).tensor("x", (3, 2))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelFilesError, match="damaged"):
        Weights([path])


@pytest.mark.parametrize("kind", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_stored_tensor_is_the_file_itself(kind: type, tmp_path: Path) -> None:
    """No copy is made, and the numbers are there again after the pages were let go of."""
    path = tmp_path / "model.safetensors"
    numbers = np.arange(6).reshape(2, 3).astype(kind)
    save_file({"x": numbers}, path)
    weights = Weights([path])
    first, second = weights.stored("x", (2, 3)), weights.stored("x")
    assert first.dtype == kind
    assert np.shares_memory(first.view(np.uint8), second.view(np.uint8))
    weights.release()
    assert first.tolist() == numbers.tolist()


def test_a_format_that_is_not_read_is_named(tmp_path: Path) -> None:
    """Quantised checkpoints of others, for instance."""
    path = tmp_path / "model.safetensors"
    save_file({"x": np.ones(3, dtype=np.int8), "y": np.ones(1, dtype=np.float64)}, path)
    with pytest.raises(ModelFilesError, match=r"'x' is stored as I8.*BF16"):
        Weights([path]).tensor("x")
    assert Weights([path]).tensor("y").dtype == np.float32


def test_a_tensor_that_its_bytes_do_not_fill_is_damage(tmp_path: Path) -> None:
    """A header that promises more numbers than it has bytes for."""
    path = tmp_path / "model.safetensors"
    save_file({"x": np.ones(4, dtype=np.float32)}, path)
    path.write_bytes(path.read_bytes().replace(b'"shape":[4]', b'"shape":[9]'))
    with pytest.raises(ModelFilesError, match="damaged"):
        Weights([path])
