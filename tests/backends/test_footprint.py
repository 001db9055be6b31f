"""What a model will need is told from its files, and is not less than what it takes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from embedway.backends.footprint import WORKSPACE_BYTES, WORKSPACE_BYTES_PER_WIDTH, estimate
from embedway.errors import ModelFilesError
from embedway.types import ModelSpec
from tests.tiny import case

MIB = 2**20
BUNDLED = ModelSpec("m", "all-MiniLM-L6-v2", dtype="fp32", backend="openvino")
TAKEN = """
import json, sys
from embedway.backends.open import open_backend
from embedway.types import ModelSpec, Text

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))

spec = ModelSpec("m", "all-MiniLM-L6-v2", dtype="fp32", backend="openvino")
held = []
for _ in range(2):  # the first of a process brings the libraries' own memory, which is no model's
    before = anonymous()
    held.append(open_backend(spec, 2))
    held[-1].run([held[-1].prepare(Text("word " * 200)) for _ in range(8)])
print(json.dumps(anonymous() - before))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_bundled_model_takes_no_more_than_was_estimated() -> None:
    """And not much less: a budget is of use only where estimates are near."""
    ended = subprocess.run([sys.executable, "-c", TAKEN], stdout=subprocess.PIPE, timeout=120, check=True)
    taken = json.loads(ended.stdout)
    assert taken < estimate(BUNDLED).held < 3 * taken


def test_precision_changes_the_need() -> None:
    """int8 holds least, and needs most while it is compared with float32."""
    needs = {dtype: estimate(dataclasses.replace(BUNDLED, dtype=dtype)) for dtype in ("fp32", "bf16", "int8")}
    assert needs["int8"].held < needs["bf16"].held < needs["fp32"].held
    assert needs["int8"].opening > needs["fp32"].opening == needs["fp32"].held


@pytest.mark.parametrize(("stored", "times"), [("F32", 1), ("BF16", 2)])
def test_half_precision_is_arranged_twice_for_float32(tmp_path: Path, stored: str, times: int) -> None:
    """A table counts as it is stored; a matrix as it is computed with."""
    rows, width = 1000, 2 if stored == "BF16" else 4
    header = json.dumps(
        {
            "embed.weight": {"dtype": stored, "shape": [rows, 8], "data_offsets": [0, rows * 8 * width]},
            "layer.weight": {
                "dtype": stored,
                "shape": [rows, rows],
                "data_offsets": [rows * 8 * width, rows * (8 + rows) * width],
            },
        }
    ).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + rows * (8 + rows) * width)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 10}')
    spec = ModelSpec("m", str(tmp_path), dtype="fp32", backend="openvino")
    beside = WORKSPACE_BYTES + 10 * WORKSPACE_BYTES_PER_WIDTH
    assert estimate(spec).held == rows * 8 * width + rows * rows * 4 * times + beside


def test_every_tiny_model_has_an_estimate(tmp_path: Path) -> None:
    """At least the size of its matrices: every family's names are understood."""
    for name in case.names():
        folder = tmp_path / name
        folder.mkdir()
        case.load(name).write(folder)
        assert estimate(ModelSpec(name, str(folder), dtype="fp32", backend="openvino")).held > WORKSPACE_BYTES


def test_a_folder_that_is_no_model_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    """By the same sentence as opening it."""
    with pytest.raises(ModelFilesError, match=r"no config\.json"):
        estimate(ModelSpec("m", str(tmp_path)))
    assert estimate(ModelSpec("fake", "fake:8")).held == 0
