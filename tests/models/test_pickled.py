"""Tensors out of what torch.save writes, and nothing else out of anything."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from embedway.errors import ModelFilesError
from embedway.models.pickled import read_tensors

LINEAR = Path(__file__).with_name("linear.pt")
"""`torch.save({"weight": torch.arange(6.).reshape(2, 3), "bias": torch.tensor([.5, -1.]).bfloat16()}, "linear.pt")`."""


class Call:
    """Pickles as a call of a function, as an attacker's file would."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.told = function, arguments

    def __reduce__(self) -> object:
        return self.told


def archive(path: Path, content: object) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, protocol=2))
    return path


def test_a_file_of_torch() -> None:
    """Names, shapes and numbers, as float32 whatever they were stored as."""
    tensors = read_tensors(LINEAR)
    assert tensors.keys() == {"weight", "bias"}
    assert np.array_equal(tensors["weight"], np.arange(6, dtype=np.float32).reshape(2, 3))
    assert np.array_equal(tensors["bias"], np.array([0.5, -1], dtype=np.float32))
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())


def test_nothing_is_called(tmp_path: Path) -> None:
    """A pickle that asks for a function is refused by its name, and the function is not run."""
    marker = tmp_path / "run"
    path = archive(tmp_path / "evil.pt", {"weight": Call(Path.write_text, marker, "x")})
    with pytest.raises(ModelFilesError, match="it asks for"):
        read_tensors(path)
    path = archive(tmp_path / "evil.pt", {"weight": Call(exec, f"open({str(marker)!r}, 'w')")})
    with pytest.raises(ModelFilesError, match="exec"):
        read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [[1, 2], {"weight": 3}, "text", {"a": {"b": 1}}])
def test_other_content_is_refused(content: object, tmp_path: Path) -> None:
    """Tensors by name, and nothing else."""
    with pytest.raises(ModelFilesError, match="something else than tensors"):
        read_tensors(archive(tmp_path / "other.pt", content))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short", pickle.dumps({"a": 1})])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    """In one sentence that names the file."""
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFilesError, match=r"other\.pt"):
        read_tensors(path)


def test_a_file_cut_short(tmp_path: Path) -> None:
    """As a download leaves it."""
    path = tmp_path / "cut.pt"
    path.write_bytes(LINEAR.read_bytes()[:-200])
    with pytest.raises(ModelFilesError, match="cannot be read"):
        read_tensors(path)
