"""`python -m bench gpu`, as far as it goes without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from bench import flops, gpu, shapes


def test_without_a_gpu_it_says_so() -> None:
    """In one sentence."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match="needs an NVIDIA GPU"):
        gpu.run()


def test_operations_are_counted_as_elsewhere() -> None:
    """As for the bundled model; and a decoder's as its papers give the sizes."""
    config = {"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 12, "num_hidden_layers": 6}
    assert gpu.flop(config, 100) == flops.flop(100)
    qwen = shapes.network("ops-qwen3-embedding-0.6b").config
    linear = 28 * (2 * 1024 * 16 * 128 + 2 * 1024 * 8 * 128 + 3 * 1024 * 3072)
    assert gpu.flop(qwen, 1) == 2 * (linear + 28 * 2 * 16 * 128)


@pytest.mark.filterwarnings("ignore")
def test_both_sides_run_the_same_folder(tmp_path: Path) -> None:
    """Two layers, few words, on the CPU."""
    one = shapes.network("ops-qwen3-embedding-0.6b")
    small = {"hidden_size": 64, "head_dim": 16, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = {**shapes.smaller(one, 2, 1_500), **small, "intermediate_size": 128}
    gpu.write_folder(tmp_path, one, config, 256)
    device = torch.device("cpu")
    lengths = {"32": [32] * 4, "mixed": [16, 100, 40]}
    rows = gpu.compare(tmp_path, "tiny", config, device, lengths, gpu.matrix_rate(device, 128), batches=(2,))
    assert [row["lengths"] for row in rows] == ["32", "mixed"]
    for row, wanted in zip(rows, lengths.values(), strict=True):
        assert row["tokens"] == pytest.approx(sum(wanted), rel=0.3)
        assert row["share_of_matrix_rate"] > 0
        assert row["times_library"] > 0
